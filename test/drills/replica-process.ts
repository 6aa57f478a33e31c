import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from '../helpers/servers/servers.js'
import type { VerifierCounts } from '../../services/cache/verifier.js'
import type { ProcessFigures, ReplicaNews, ReplicaOrder, ReplicaReport } from './replica.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ENTRY = fileURLToPath(new URL('replica.ts', import.meta.url))
const START_LIMIT_MS = 60_000
const REPORT_LIMIT_MS = 500
/** A full collection comes first. */
const FIGURES_LIMIT_MS = 2_000
const LOG_LINES = 40

export interface ReplicaOptions {
  /** Settings of the service; PORT and NODE_ENV are set here. */
  readonly env: Readonly<Record<string, string>>
  /** The process ended without being told to. */
  readonly onUnexpectedExit?: (end: { readonly how: string; readonly log: string }) => void
}

/** A replica in a process of its own: {@link file://./replica.ts}. It keeps its port over restarts. */
export class ReplicaProcess {
  readonly port: number
  readonly #options: ReplicaOptions
  readonly #log: string[] = []
  readonly #asked = new Map<number, (news: ReplicaNews) => void>()
  #child: ChildProcess | undefined
  #isEndExpected = false
  #reports = 0
  /** The longest time its event loop reported to have been blocked, in ms. */
  blockedMs = 0
  /** Of all its lives. */
  readonly verified: VerifierCounts = { confirmed: 0, missed: 0, undecided: 0 }

  private constructor(port: number, options: ReplicaOptions) {
    this.port = port
    this.#options = options
  }

  /** Listening once this resolves. */
  static async start(options: ReplicaOptions): Promise<ReplicaProcess> {
    const replica = new ReplicaProcess(await freePort(), options)
    await replica.start()
    return replica
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** The end of what it has logged: errors only. */
  get log(): string {
    return this.#log.join('\n')
  }

  async start(): Promise<void> {
    const child = fork(ENTRY, {
      execArgv: [TYPESCRIPT],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...inherited(), ...this.#options.env, PORT: String(this.port), NODE_ENV: 'production' },
    })
    this.#child = child
    this.#isEndExpected = false
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => this.#keep(data))
    const listening = new Promise<void>((resolve, reject) => {
      child.on('message', (news: ReplicaNews) => {
        if (news.kind === 'listening') resolve()
        else this.#hear(news)
      })
      child.once('exit', () => reject(new Error(`A replica ended at its start:\n${this.log}`)))
    })
    let isUp = false
    child.once('exit', (code, signal) => {
      if (this.#child === child) this.#child = undefined
      if (this.#isEndExpected || !isUp) return
      this.#options.onUnexpectedExit?.({ how: signal ?? `exit code ${code}`, log: this.log })
    })
    const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS)
    await listening.finally(() => clearTimeout(limit))
    isUp = true
  }

  /** What the replica says of itself; `undefined` when it does not answer soon. */
  async report(): Promise<ReplicaReport | undefined> {
    const news = await this.#ask('report', REPORT_LIMIT_MS)
    return news?.kind === 'report' ? news.report : undefined
  }

  /** What its process holds; `undefined` when it does not answer soon. */
  async figures(): Promise<ProcessFigures | undefined> {
    const news = await this.#ask('figures', FIGURES_LIMIT_MS)
    return news?.kind === 'figures' ? news.figures : undefined
  }

  #ask(kind: 'report' | 'figures', limitMs: number): Promise<ReplicaNews | undefined> {
    const id = (this.#reports += 1)
    return new Promise((resolve) => {
      const give = (news: ReplicaNews | undefined): void => {
        clearTimeout(timer)
        this.#asked.delete(id)
        resolve(news)
      }
      const timer = setTimeout(() => give(undefined), limitMs)
      this.#asked.set(id, give)
      if (!this.order({ kind, id })) give(undefined)
    })
  }

  /** Whether there is a process to take the order. */
  order(order: ReplicaOrder): boolean {
    const child = this.#child
    if (child === undefined || !child.connected) return false
    child.send(order, () => undefined)
    return true
  }

  /** Resolves with how the process ended, once it has; it is expected to from now on. */
  async expectExit(): Promise<string> {
    this.#isEndExpected = true
    const child = this.#child
    if (child === undefined) return 'ended before'
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return signal ?? `exit code ${code}`
  }

  stop(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  killNow(): void {
    this.#child?.kill('SIGKILL')
  }

  async kill(): Promise<void> {
    if (this.#child === undefined) return
    const ended = this.expectExit()
    this.killNow()
    await ended
  }

  #hear(news: Exclude<ReplicaNews, { kind: 'listening' }>): void {
    if (news.kind === 'blocked') this.blockedMs = Math.max(this.blockedMs, news.ms)
    else if (news.kind === 'verified') this.#add(news.counts)
    else this.#asked.get(news.id)?.(news)
  }

  #add({ confirmed, missed, undecided }: VerifierCounts): void {
    this.verified.confirmed += confirmed
    this.verified.missed += missed
    this.verified.undecided += undecided
  }

  #keep(data: Buffer): void {
    this.#log.push(...data.toString().trimEnd().split('\n'))
    this.#log.splice(0, this.#log.length - LOG_LINES)
  }
}

/** Without the settings of the shell: a replica gets those of its test only. */
function inherited(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return { ...(PATH && { PATH }), ...(HOME && { HOME }), ...(TMPDIR && { TMPDIR }) }
}
