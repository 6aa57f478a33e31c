import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { EXIT } from './faults.js'
import { argumentsFrom } from './import.js'
import { openOutput } from './output.js'
import type { GlobalOptions } from './program.js'

/** All arguments are those of `npm run export`. The rows are JSON lines anyway; `--json` is about what is said of a file. */
export function exportCommand(context: CliContext, program: Command): void {
  program
    .command('export')
    .description('write a catalogue from the database that the environment names (export --help says more)')
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[], _options, command: Command) => {
      const output = openOutput(context, command.optsWithGlobals<GlobalOptions>().json === true)
      const { parseExportArguments, usage } = await import('../export/arguments.js')
      const parsed = argumentsFrom(() => parseExportArguments(args))
      if (parsed === undefined) return output.line(usage.replaceAll('npm run export --', 'roundhouse export'))
      const { runExport } = await import('../export/run.js')
      const lines = await runExport(parsed)
      if (parsed.file === undefined) output.note(`${lines.toLocaleString('en-US')} lines`)
      else if (output.isJson) output.json({ file: parsed.file, lines })
      else output.line(`${lines.toLocaleString('en-US')} lines in ${parsed.file}`)
      context.exitCode = EXIT.done
    })
}
