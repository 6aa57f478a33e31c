import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { until } from './deadline.js'
import { temporaryDirectory } from './servers/servers.js'
import { TYPESCRIPT } from './typescript.js'

export interface ServiceOptions {
  /** `server.ts`, or `migrate.ts`. */
  readonly entry?: string
  /** Files of its working directory, which has none otherwise, nor an `.env`. */
  readonly files?: Readonly<Record<string, string | Buffer>>
  /** What it is started by, such as a container of its own. */
  readonly before?: readonly string[]
}

/** The service as a process of its own, by the file that production runs. */
export class ServiceProcess {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>
  output = ''
  /** What of it came on stderr. */
  errors = ''

  constructor(test: Pick<Test, 'teardown'>, env: Record<string, string>, options: ServiceOptions = {}) {
    const { entry = 'server.ts', files = {}, before = [] } = options
    const file = join(import.meta.dirname, '../..', entry)
    const cwd = temporaryDirectory()
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content)
    const [command, ...args] = [...before, process.execPath, TYPESCRIPT, file]
    this.#process = spawn(command, args, {
      cwd,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    }
    this.#process.stderr.on('data', (text: string) => (this.errors += text))
    test.teardown(() => this.#process.kill('SIGKILL'))
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  async listening(): Promise<void> {
    await this.says('Server listening')
  }

  async says(text: string): Promise<void> {
    await until(() => this.output.includes(text), { timeoutMs: 60_000, describe: `the service says ${text}` })
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** The exit code. */
  async ended(): Promise<number | null> {
    if (this.#process.exitCode === null) await once(this.#process, 'close')
    return this.#process.exitCode
  }
}
