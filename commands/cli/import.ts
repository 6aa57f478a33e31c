import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { CliError, EXIT } from './faults.js'
import { openOutput } from './output.js'
import type { GlobalOptions } from './program.js'

/** All arguments are those of `npm run import`, as are the exit codes 2 and 3. */
export function importCommand(context: CliContext, program: Command): void {
  program
    .command('import')
    .description('bring a catalogue into the database that the environment names (import --help says more)')
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[], _options, command: Command) => {
      const output = openOutput(context, command.optsWithGlobals<GlobalOptions>().json === true)
      // The whole service comes along: only where it is needed.
      const { parseImportArguments, usage } = await import('../import/arguments.js')
      const parsed = argumentsFrom(() => parseImportArguments(args))
      if (parsed === undefined) return output.line(usage.replaceAll('npm run import --', 'roundhouse import'))
      const { runImport, summary } = await import('../import/run.js')
      const code = await runImport(parsed, (outcome) => {
        if (output.isJson) output.json({ ...outcome.counts, seconds: outcome.seconds, dry_run: outcome.isDryRun })
        else output.line(summary(outcome))
      })
      context.exitCode = code
    })
}

/** What these programs say of their arguments, with our exit code for it. */
export function argumentsFrom<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), EXIT.usage)
  }
}
