import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Seeded } from '../seeded.js'

/** One change as it arrives, and the cursor behind it where each has one. */
export interface ChangeOf {
  readonly resource: string
  readonly id: string
  readonly external_id?: string
  readonly kind: 'changed' | 'deleted'
  readonly row?: { readonly version: number }
}

export interface PageOf {
  readonly changes: readonly ChangeOf[]
  readonly next_cursor: string
  readonly more: boolean
}

/** What a follower has of the catalogue, and what it was told. */
export class Copy {
  readonly rows = new Map<string, object>()
  /** Versions by row, in the order in which they were told. */
  readonly told = new Map<string, number[]>()
  changes = 0

  take(changes: readonly ChangeOf[]): void {
    for (const { resource, id, kind, row } of changes) {
      const key = `${resource}/${id}`
      this.changes += 1
      if (kind === 'deleted' || row === undefined) this.rows.delete(key)
      else {
        this.rows.set(key, row)
        this.told.set(key, [...(this.told.get(key) ?? []), row.version])
      }
    }
  }

  /** Rows that were told of in a version that was not above the one before: a row told twice, or an older one late. */
  get repeated(): string[] {
    return [...this.told].flatMap(([key, versions]) =>
      versions.some((version, n) => n > 0 && version <= (versions[n - 1] ?? 0))
        ? [`${key}: ${versions.join(' ')}`]
        : [],
    )
  }

  sorted(): [string, object][] {
    return [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

/** One connection with server-sent events, as EventSource reads them. */
export class EventConnection {
  lastId: string
  readonly events: { readonly event: string; readonly data: string }[] = []
  comments = 0
  #response: IncomingMessage | undefined
  #buffer = ''
  ended = false

  constructor(lastId: string) {
    this.lastId = lastId
  }

  /** Resolves with the status once there is one. */
  async open(
    port: number,
    token: string,
    { query = '', onEvent }: { query?: string; onEvent?: (data: string) => void } = {},
  ) {
    const headers = {
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
      ...(this.lastId !== '' && { 'last-event-id': this.lastId }),
    }
    const sent = request({ host: '127.0.0.1', port, path: `/api/changes${query}`, headers, agent: false })
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    this.#response = response
    response.setEncoding('utf8')
    response.on('data', (text: string) => this.#hear(text, onEvent))
    response.on('error', () => {})
    response.on('close', () => (this.ended = true))
    return response.statusCode ?? 0
  }

  get response(): IncomingMessage {
    if (this.#response === undefined) throw new Error('Not open yet')
    return this.#response
  }

  /** As a lost connection: what has arrived by halves is gone. */
  cut(): void {
    this.#response?.removeAllListeners('data')
    this.#response?.destroy()
  }

  #hear(text: string, onEvent: ((data: string) => void) | undefined): void {
    const blocks = (this.#buffer + text).split('\n\n')
    this.#buffer = blocks.pop() ?? ''
    for (const block of blocks) {
      const lines = block.split('\n')
      this.comments += lines.filter((line) => line.startsWith(':')).length
      const field = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      this.lastId = field('id') ?? this.lastId
      const data = field('data')
      if (data === undefined) continue
      this.events.push({ event: field('event') ?? 'message', data })
      onEvent?.(data)
    }
  }
}

export interface FollowerOptions {
  readonly random: Seeded
  readonly token: string
  /** A request to a replica of the caller's choice. */
  readonly ask: (url: string) => Promise<{ readonly status: number; readonly body: PageOf }>
  /** Of each replica that listens. */
  readonly ports: readonly number[]
  /** Writers have ended, and all that they did can be seen. */
  readonly isOver: () => boolean
}

/** Polls, with pages of all sizes, and loses an answer now and then. */
export async function poll({ random, ask, isOver }: FollowerOptions, copy: Copy, start: string): Promise<void> {
  let cursor = start
  for (;;) {
    const wasOver = isOver()
    const { status, body } = await ask(`/api/changes?since=${cursor}&limit=${random.pick([1, 3, 10, 100, 1000])}`)
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
    if (random.next() < 0.1) continue
    copy.take(body.changes)
    cursor = body.next_cursor
    if (wasOver && !body.more && body.changes.length === 0) return
    if (!body.more) await sleep(random.below(120))
  }
}

/** Reads events, and is cut off again and again; goes on at another replica from the last id. */
export async function listen(
  { random, token, ports, isOver }: FollowerOptions,
  copy: Copy,
  start: string,
): Promise<void> {
  let cursor = start
  for (let quiet = 0; quiet < 2;) {
    const wasOver = isOver()
    const connection = new EventConnection(cursor)
    let heard = 0
    const onEvent = (data: string): void => {
      heard += 1
      copy.take([JSON.parse(data) as ChangeOf])
    }
    const status = await connection.open(random.pick(ports), token, { onEvent })
    if (status !== 200) throw new Error(`A stream answered ${status}`)
    await sleep(wasOver ? 800 : random.below(900))
    connection.cut()
    cursor = connection.lastId
    quiet = wasOver && heard === 0 ? quiet + 1 : 0
  }
}
