import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChangeOf, Copy, EventConnection } from '../../helpers/changes/followers.js'
import { HttpConnection } from '../../helpers/http-connection.js'
import type { Seeded } from '../../helpers/seeded.js'
import type { DesignBody, Shop } from '../catalogue.js'
import type { Ledger } from '../ledger.js'

export interface ReaderOptions {
  /** Where the next connection goes. */
  readonly port: () => number
  /** Nobody listens there any more. */
  readonly onRefused: (port: number) => void
  readonly ledger: Ledger
  readonly random: Seeded
  readonly isStopped: () => boolean
}

/** Shorter than what a browser waits, so that many connections fall into the time of a deploy. */
const LONGEST_PAUSE_MS = 150

/** Follows the changes of one shop over streams, each from the last id of the one before. */
export class Follower {
  readonly copy = new Copy()
  /** How often a stream ended and was taken up again. */
  resumed = 0
  readonly #options: ReaderOptions
  readonly #shop: Shop
  #lastId = ''

  constructor(shop: Shop, options: ReaderOptions) {
    this.#shop = shop
    this.#options = options
  }

  /** As the documentation says: a cursor, then all rows, then what changed since. */
  async begin(): Promise<void> {
    const connection = new HttpConnection(this.#options.port(), { token: this.#shop.token })
    const start = await connection.get('/api/changes')
    this.#lastId = (JSON.parse(start.text) as { next_cursor: string }).next_cursor
    const list = await connection.get('/api/designs?limit=100')
    for (const row of (JSON.parse(list.text) as { items: DesignBody[] }).items)
      this.copy.rows.set(`designs/${row.id}`, row)
    connection.close()
  }

  async run(): Promise<void> {
    const { isStopped, random } = this.#options
    for (let isFirst = true; !isStopped(); isFirst = false) {
      if (!isFirst) await sleep(random.below(LONGEST_PAUSE_MS))
      if (await this.#follow()) this.resumed += isFirst ? 0 : 1
    }
  }

  /** What it has otherwise than `stored`, and what it was told twice. */
  flaws(stored: ReadonlyMap<string, DesignBody>): string[] {
    const has = new Map([...this.copy.rows].map(([key, row]) => [key, row as DesignBody]))
    const missed = [...stored.values()].filter(({ id, version }) => has.get(`designs/${id}`)?.version !== version)
    const extra = [...has.values()].filter(({ id }) => !stored.has(id))
    return [
      ...missed.map(({ id, version }) => `missed: design ${id} in version ${version}`),
      ...extra.map(({ id }) => `missed: the deletion of design ${id}`),
      ...this.copy.repeated.map((repeated) => `told twice: ${repeated}`),
    ]
  }

  async #follow(): Promise<boolean> {
    const { port: next, onRefused, ledger, isStopped } = this.#options
    const [port, begunIn] = [next(), ledger.phases]
    const connection = new EventConnection(this.#lastId)
    try {
      const onEvent = (data: string): void => this.copy.take([JSON.parse(data) as ChangeOf])
      const status = await connection.open(port, this.#shop.token, { onEvent })
      if (status !== 200) return this.#failed(String(status), port, begunIn)
      const { response } = connection
      await waitFor(response, isStopped)
      if (!response.complete && !isStopped()) this.#failed('cut off', port, ledger.phases)
      return true
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ECONNREFUSED') onRefused(port)
      else this.#failed(code, port, begunIn)
      return false
    } finally {
      connection.cut()
      this.#lastId = connection.lastId
    }
  }

  #failed(reason: string, port: number, begunIn: readonly string[]): false {
    this.#options.ledger.failed('stream', reason, begunIn, `port ${port}`)
    return false
  }
}

/** Looks at the figures of all replicas, which come every second. */
export class Watcher {
  resumed = 0
  events = 0
  longestGapMs = 0
  readonly #options: ReaderOptions & { readonly adminToken: string }

  constructor(options: ReaderOptions & { readonly adminToken: string }) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { isStopped, random } = this.#options
    let at = performance.now()
    const onEvent = (): void => {
      this.events += 1
      this.longestGapMs = Math.max(this.longestGapMs, performance.now() - at)
      at = performance.now()
    }
    for (let isFirst = true; !isStopped(); isFirst = false) {
      if (!isFirst) await sleep(random.below(LONGEST_PAUSE_MS))
      if (await this.#watch(onEvent)) this.resumed += isFirst ? 0 : 1
    }
  }

  async #watch(onEvent: () => void): Promise<boolean> {
    const { port: next, onRefused, ledger, isStopped, adminToken } = this.#options
    const [port, begunIn] = [next(), ledger.phases]
    const headers = { authorization: `Bearer ${adminToken}`, accept: 'text/event-stream' }
    const sent = request({ host: '127.0.0.1', port, path: '/api/cache/live', headers, agent: false })
    try {
      sent.end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.on('error', () => {})
      if (response.statusCode !== 200) throw Object.assign(new Error(), { code: String(response.statusCode) })
      response.setEncoding('utf8').on('data', (text: string) => text.includes('event: figures') && onEvent())
      await waitFor(response, isStopped)
      if (!response.complete && !isStopped()) ledger.failed('live', 'cut off', ledger.phases, `port ${port}`)
      return true
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ECONNREFUSED') onRefused(port)
      else ledger.failed('live', code, begunIn, `port ${port}`)
      return false
    } finally {
      sent.destroy()
    }
  }
}

async function waitFor(response: IncomingMessage, isStopped: () => boolean): Promise<void> {
  const closed = once(response, 'close').catch(() => {})
  while (!response.closed && !response.destroyed && !isStopped()) await Promise.race([closed, sleep(100)])
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
