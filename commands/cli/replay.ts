import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import type { CliContext } from './context.js'
import { CliError, EXIT } from './faults.js'
import type { GlobalOptions } from './program.js'

/** Of a checkout, as seen from its sources and from its dist/: it starts servers by the helpers of the tests, which no installed copy has. */
const PLACES = ['../../bench/replay.ts', '../../../bench/replay.ts']

/** All arguments are the program's own, as are its exit codes. */
export function replayCommand(context: CliContext, program: Command): void {
  program
    .command('replay')
    .description(
      'replay an access log without a cache, with memory, and with Redis; in a checkout (replay --help says more)',
    )
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[], _options, command: Command) => {
      const program = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((path) =>
        existsSync(path),
      )
      if (program === undefined) {
        throw new CliError('replay is there in a checkout only: npm ci && npm run cli -- replay', EXIT.usage)
      }
      const json = command.optsWithGlobals<GlobalOptions>().json === true || !process.stdout.isTTY ? ['--json'] : []
      const child = spawn(process.execPath, [`--import=${import.meta.resolve('tsx')}`, program, ...args, ...json], {
        stdio: 'inherit',
      })
      // The terminal tells both; this process has to be there until the other has cleaned up.
      const onInterrupt = (): void => {}
      process.on('SIGINT', onInterrupt)
      const onEnd = (): void => void child.kill('SIGTERM')
      process.on('SIGTERM', onEnd)
      const [code]: unknown[] = await once(child, 'exit')
      process.off('SIGINT', onInterrupt).off('SIGTERM', onEnd)
      context.exitCode = typeof code === 'number' ? code : EXIT.interrupted
    })
}
