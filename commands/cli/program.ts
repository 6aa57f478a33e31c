import { Command, CommanderError } from 'commander'
import { changesCommand } from './changes.js'
import { clearCommand } from './clear.js'
import type { CliContext } from './context.js'
import { doctorCommand } from './doctor.js'
import { exportCommand } from './export.js'
import { CliError, EXIT } from './faults.js'
import { healthCommand } from './health.js'
import { importCommand } from './import.js'
import { inspectCommand } from './inspect.js'
import { openOutput, type Output } from './output.js'
import { replayCommand } from './replay.js'
import { statsCommand } from './stats.js'
import { tokenCommand } from './token.js'
import { userCommand } from './user.js'

/** What every command takes. */
export interface GlobalOptions {
  readonly url?: string
  readonly tokenFile?: string
  readonly json?: boolean
}

const COMMANDS = [
  healthCommand,
  statsCommand,
  clearCommand,
  inspectCommand,
  userCommand,
  tokenCommand,
  changesCommand,
  importCommand,
  exportCommand,
  replayCommand,
  doctorCommand,
]

const AFTER = `
The token is taken from ROUNDHOUSE_TOKEN, or a file: never from an argument, which everybody on the machine can read.
Where the standard output is no terminal, it is JSON. docs/cli.md has an example of each command.

Exit codes: 0 done, 1 failed or a fault was found, 2 and 3 those of an import, 64 wrong arguments, 69 the service does not
answer, 77 the token is missing or may not, 130 interrupted.`

/** Runs one command line and returns its exit code. Never throws. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  try {
    await programIn(context).parseAsync([...args], { from: 'user' })
    return context.exitCode
  } catch (error) {
    // Help and faults of arguments have been printed by then.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    return tell(error, openOutput(context, args.includes('--json')))
  }
}

function programIn(context: CliContext): Command {
  const program = new Command('roundhouse')
    .description('The catalogue service and its cache, from a terminal.')
    .option('--url <url>', 'where the service is; ROUNDHOUSE_URL, else http://127.0.0.1:3000')
    .option('--token-file <path>', 'a file with the token, - for the standard input; else ROUNDHOUSE_TOKEN')
    .option('--json', 'JSON also at a terminal')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .showHelpAfterError('(--help says how)')
    .helpCommand(false)
    .addHelpText('after', AFTER)
    .exitOverride()
  for (const add of COMMANDS) add(context, program)
  return program
}

function tell(error: unknown, output: Output): number {
  const message = error instanceof Error ? error.message : String(error)
  const { exitCode, code } = error instanceof CliError ? error : { exitCode: EXIT.failed, code: undefined }
  if (output.isJson) output.note(JSON.stringify({ error: message, ...(code !== undefined && { code }) }))
  else output.note(message)
  return exitCode
}
