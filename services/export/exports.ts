import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import type { Queryable } from '../database/database.js'
import { TooManyExportsError, UnauthorizedError } from '../errors.js'
import type { ServiceDependencies } from '../resource/dependencies.js'
import { RowExport } from './row-export.js'
import { inSnapshot } from './snapshot.js'

export interface ExportLimits {
  /** At a time in this replica. Each holds a connection of the pool. */
  readonly most: number
  readonly mostOfUser: number
  /** How long the reader may leave what is ready, in ms. */
  readonly stallMs: number
  /** How long one export may take, in ms: a snapshot keeps the server from clearing up behind it. */
  readonly totalMs: number
}

export const LIMITS = { most: 3, mostOfUser: 2, stallMs: 30_000, totalMs: 600_000 } as const satisfies ExportLimits

/** What is waiting for the reader, in bytes. */
const BUFFER_BYTES = 65_536

/**
 * Exports for callers of the API. On a server each is of one snapshot. The embedded database has one session, in which everybody would
 * wait for the reader: there each page is of the moment at which it is read. Nothing goes through the cache.
 */
export class Exports {
  readonly #dependencies: Pick<ServiceDependencies, 'database' | 'resources'>
  readonly #limits: ExportLimits
  readonly #byUser = new Map<string, number>()
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<void>>()

  constructor(dependencies: Pick<ServiceDependencies, 'database' | 'resources'>, limits: ExportLimits) {
    this.#dependencies = dependencies
    this.#limits = limits
  }

  /** How many are under way. */
  get count(): number {
    return this.#running.size
  }

  /**
   * The rows of a user as JSON lines, read as the stream is. It is destroyed with an error when its limits are over or the database fails; to
   * destroy it ends the export at once.
   * @param isAllowed is asked before each chunk whether its reader may still read; to throw ends the export too
   * @returns once there is something to read, or nothing at all
   * @throws TooManyExportsError, DatabaseUnavailableError
   */
  async open(userId: string, resource: string, isAllowed: () => Promise<boolean>): Promise<Readable> {
    const { database, resources } = this.#dependencies
    const definition = resources.find(({ name }) => name === resource)
    if (definition === undefined) throw new Error(`There are no ${resource}`)
    const rows = new RowExport(definition, resources, database.kind)
    const output = new PassThrough({ highWaterMark: BUFFER_BYTES })
    const leave = this.#enter(userId)
    let isStarted: () => void = () => {}
    const started = new Promise<void>((resolve) => (isStarted = resolve))
    // By timers of its own: nobody holds what AbortSignal.any and AbortSignal.timeout make, and what the collector has taken never goes off.
    const end = new AbortController()
    const isClosing = (): void => end.abort(this.#closing.signal.reason)
    this.#closing.signal.addEventListener('abort', isClosing)
    if (this.#closing.signal.aborted) isClosing()
    output.once('close', () => end.abort(new Error('Nobody reads the export any more')))
    const { stallMs, totalMs } = this.#limits
    const total = setTimeout(() => end.abort(new Error('The export took too long')), totalMs)
    const write = async (db: Queryable): Promise<void> => {
      for await (const chunk of rows.chunks(db, userId)) {
        if (!(await isAllowed())) throw new UnauthorizedError()
        isStarted()
        end.signal.throwIfAborted()
        if (!output.write(chunk)) await drained(output, end, stallMs)
      }
    }
    // The server's own limit is for a replica that is frozen or cut off.
    const running = (database.kind === 'postgres' ? inSnapshot(database, 2 * stallMs, write) : write(database))
      .finally(() => {
        clearTimeout(total)
        this.#closing.signal.removeEventListener('abort', isClosing)
        leave()
      })
      .then(() => void output.end())
    const settled = running.catch((error: unknown) => {
      output.destroy(error instanceof Error ? error : new Error(String(error)))
    })
    this.#running.add(settled)
    void settled.finally(() => this.#running.delete(settled))
    // It fails before there is anything to read, or later by destroying the stream.
    output.on('error', () => {})
    await Promise.race([started, running])
    return output
  }

  /** Ends all that are under way, and waits for their connections to be free. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The service is closing'))
    await Promise.all(this.#running)
  }

  #enter(userId: string): () => void {
    const ofUser = this.#byUser.get(userId) ?? 0
    const all = [...this.#byUser.values()].reduce((sum, count) => sum + count, 0)
    if (ofUser >= this.#limits.mostOfUser || all >= this.#limits.most) throw new TooManyExportsError()
    this.#byUser.set(userId, ofUser + 1)
    return () => {
      const left = (this.#byUser.get(userId) ?? 1) - 1
      if (left === 0) this.#byUser.delete(userId)
      else this.#byUser.set(userId, left)
    }
  }
}

/** Once the reader has taken what waits; when they take nothing for so long, or the export has ended, it rejects. */
async function drained(output: PassThrough, end: AbortController, stallMs: number): Promise<void> {
  const stalled = setTimeout(() => end.abort(new Error('Nobody takes what the export has')), stallMs)
  const { signal } = end
  try {
    await once(output, 'drain', { signal })
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    clearTimeout(stalled)
  }
}
