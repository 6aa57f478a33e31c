import type { Readable, Writable } from 'node:stream'
import type { ExaminedConfig } from '../../plugins/config.js'
import { EXIT } from './faults.js'

/** What a command writes to; at a terminal `isTTY`. */
export type OutputStream = Pick<Writable, 'write'> & {
  readonly isTTY?: boolean
  hasColors?(): boolean
}

export interface ClientEnvironment {
  readonly url: string | undefined
  readonly token: string | undefined
}

/** What a command line has of the process it runs in. */
export interface CliContext {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly stdin: Readable
  environment(): Promise<ClientEnvironment>
  /** What the service would be started with. */
  settings(): Promise<ExaminedConfig>
  /** Aborts when the command is to end: at Ctrl-C and SIGTERM, which then don't end the process by themselves, or when nobody reads. */
  interruption(): AbortSignal
  /** For the end. */
  exitCode: number
}

/** This process. The settings are read only when they are asked for: they take longer to load than anything here. */
export function processContext(): CliContext {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    environment: async () => (await import('../../plugins/config.js')).clientEnvironment(),
    settings: async () => (await import('../../plugins/config.js')).examineProcessConfig(),
    interruption() {
      const controller = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => controller.abort())
      process.stdout.on('error', () => controller.abort())
      return controller.signal
    },
    exitCode: EXIT.done,
  }
}
