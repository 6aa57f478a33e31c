import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from '../../helpers/deadline.js'
import { freePort } from '../../helpers/servers/servers.js'
import type { Release } from './releases.js'

const START_LIMIT_MS = 60_000
const LOG_LINES = 60

/** One replica of a release, by the command of the image. */
export class ReleaseProcess {
  readonly #child: ChildProcess
  readonly #log: string[] = []

  private constructor(
    readonly release: Release,
    readonly port: number,
    env: Readonly<Record<string, string>>,
  ) {
    this.#child = run('dist/server.js', release, { ...env, PORT: String(port) })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => this.#keep(data.toString()))
  }

  /** Resolves once its health check answers 200, as the platform waits for it. */
  static async start(release: Release, env: Readonly<Record<string, string>>): Promise<ReleaseProcess> {
    const replica = new ReleaseProcess(release, await freePort(), env)
    const url = `http://127.0.0.1:${replica.port}/api/cache/health`
    const isUp = async (): Promise<boolean> => replica.hasEnded || (await fetch(url)).status === 200
    await until(isUp, { timeoutMs: START_LIMIT_MS, intervalMs: 50, describe: `a replica answers:\n${replica.log}` })
    if (replica.hasEnded) throw new Error(`A replica ended at its start:\n${replica.log}`)
    return replica
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The end of its log. */
  get log(): string {
    return this.#log.join('\n')
  }

  /** SIGTERM; resolves with how it ended, and after how long. */
  async stop(): Promise<{ readonly how: string; readonly ms: number }> {
    const at = performance.now()
    this.#child.kill('SIGTERM')
    if (!this.hasEnded) await once(this.#child, 'exit')
    const { exitCode, signalCode } = this.#child
    return { how: signalCode ?? `exit code ${exitCode}`, ms: performance.now() - at }
  }

  killNow(): void {
    this.#child.kill('SIGKILL')
  }

  #keep(text: string): void {
    this.#log.push(...text.trimEnd().split('\n'))
    this.#log.splice(0, this.#log.length - LOG_LINES)
  }
}

/** The pre-deploy command of a release. */
export async function migrateTo(release: Release, env: Readonly<Record<string, string>>): Promise<void> {
  const child = run('dist/migrate.js', release, env)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (log += data.toString()))
  const [code]: unknown[] = await once(child, 'close')
  if (code !== 0) throw new Error(`The migrations of ${release.name} failed:\n${log}`)
}

function run(file: string, release: Release, env: Readonly<Record<string, string>>): ChildProcess {
  const { PATH, HOME, TMPDIR } = process.env
  const inherited = { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }) }
  return spawn(process.execPath, [file], {
    cwd: release.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, NODE_ENV: 'production', HOST: '127.0.0.1', ...env },
  })
}
