import type { Announcements, Change, Journal, TailAnswer } from '../../../services/cache/index.js'
import { covers, parseSnapshot, sees, type Snapshot } from '../../../services/cache/core/snapshot.js'
import { type Deferred, deferred } from './deferred.js'

/** A transaction under way. */
export interface Transaction {
  readonly id: number
  commit(): void
  abort(): void
}

/**
 * A database with a journal, in this process: transactions that are open as long as a test wants, snapshots as Postgres tells them, rows that
 * loaders read, and the announcements of its replicas. One object stands for the server; each replica gets a {@link ModelJournal} of its own.
 */
export class ModelDatabase {
  /** The rows as committed. */
  readonly rows = new Map<string, string>()
  readonly journals: ModelJournal[] = []
  #next = 1
  #completed = 0
  #journal: Change[] = []
  #marks: { readonly snapshot: string; readonly at: number }[] = []
  #pruned = '1:1:'
  #history = 1
  readonly #now: () => number
  readonly #running = new Set<number>()

  /** `now` tells how old marks are. */
  constructor(now: () => number = () => 0) {
    this.#now = now
  }

  get identity(): string {
    return `history ${this.#history}`
  }

  /** The highest id that has ended: a crash may go back to it. */
  get lastId(): number {
    return this.#completed
  }

  get snapshot(): string {
    const xmax = this.#completed + 1
    const running = [...this.#running].filter((id) => id < xmax).sort((a, b) => a - b)
    return `${running[0] ?? xmax}:${xmax}:${running.join(',')}`
  }

  /** A write that is not committed yet; `values` become visible with it. */
  begin(tags: readonly string[], values: Readonly<Record<string, string>> = {}): Transaction {
    const [id, history] = [this.#next++, this.#history]
    this.#running.add(id)
    const end = (): void => {
      if (history !== this.#history) throw new Error('the connection broke: the transaction is gone')
      this.#running.delete(id)
      this.#completed = Math.max(this.#completed, id)
    }
    return {
      id,
      abort: end,
      commit: () => {
        end()
        this.#journal.push({ transaction: id, tags })
        for (const [key, value] of Object.entries(values)) this.rows.set(key, value)
      },
    }
  }

  /** A whole write, by somebody who tells nobody. */
  change(tags: readonly string[], values: Readonly<Record<string, string>> = {}): number {
    const transaction = this.begin(tags, values)
    transaction.commit()
    return transaction.id
  }

  /** Records a snapshot, if the last is so old and something has been written since. */
  mark(everyMs = 0): void {
    const last = this.#marks.at(-1)
    const hasGrown = (mark: string): boolean =>
      this.#journal.some(({ transaction }) => !sees(snapshotOf(mark), transaction))
    if (last !== undefined && (this.#now() - last.at < everyMs || !hasGrown(last.snapshot))) return
    this.#marks.push({ snapshot: this.snapshot, at: this.#now() })
  }

  /** Raises `pruned` to the newest mark that is older than `ms`, then deletes what it sees. Answers how many rows. */
  prune(ms = 0): number {
    this.#pruned = this.#marks.findLast(({ at }) => this.#now() - at >= ms)?.snapshot ?? this.#pruned
    const pruned = snapshotOf(this.#pruned)
    const before = this.#journal.length
    this.#journal = this.#journal.filter(({ transaction }) => !sees(pruned, transaction))
    this.#marks = this.#marks.filter(({ snapshot }) => covers(snapshotOf(snapshot), pruned))
    return before - this.#journal.length
  }

  /** Another history: transactions above `id` are undone, their ids are given out again, and the journal is empty. */
  goBackTo(id: number, rows: ReadonlyMap<string, string>): void {
    this.#history += 1
    this.#next = id + 1
    this.#completed = id
    this.#running.clear()
    this.#journal = []
    this.#marks = []
    this.#pruned = this.snapshot
    this.rows.clear()
    for (const [key, value] of rows) this.rows.set(key, value)
  }

  tail(since: string | undefined, identity: string | undefined, mostTags: number): TailAnswer {
    const snapshot = this.snapshot
    const pruned = snapshotOf(this.#pruned)
    const isAnew = since === undefined || identity !== this.identity || !covers(snapshotOf(since), pruned)
    const from = isAnew ? this.#start(snapshot, mostTags) : since
    const changes = this.#between(from, snapshot)
    const isTooMuch = changes.reduce((sum, { tags }) => sum + tags.length, 0) > mostTags
    const found = { snapshot, from, identity: this.identity, fault: undefined }
    return { ...found, changes: isTooMuch ? undefined : changes }
  }

  #start(snapshot: string, mostTags: number): string {
    const pruned = snapshotOf(this.#pruned)
    const marks = this.#marks.map((mark) => mark.snapshot).filter((mark) => covers(snapshotOf(mark), pruned))
    const ordered = marks.toSorted((a, b) => (covers(snapshotOf(a), snapshotOf(b)) ? 1 : -1))
    return (
      ordered.find((mark) => this.#between(mark, snapshot).flatMap(({ tags }) => tags).length <= mostTags) ?? snapshot
    )
  }

  #between(from: string, to: string): Change[] {
    const [earlier, later] = [snapshotOf(from), snapshotOf(to)]
    return this.#journal.filter(({ transaction }) => sees(later, transaction) && !sees(earlier, transaction))
  }
}

/** One replica's way to the journal, which a test can hold, break and silence. */
export class ModelJournal implements Journal {
  readonly #database: ModelDatabase
  readonly #mostTags: number
  #held: Deferred<void> | undefined
  /** Connections that listen: what they hear by, and how each is ended. */
  readonly #listening = new Map<(payload: string) => void, () => void>()
  /** What every tail rejects with, if anything. */
  failure: Error | undefined
  /** What every tail says instead of an identity. */
  fault: string | undefined
  /** How a tail gets to the database, and how its answer gets back; how announcements get here. It rejects for what gets lost. */
  travel: (what: string) => Promise<void> = () => Promise.resolve()
  /** Announcements that come in are lost. */
  isDeaf = false
  /** Announcements that came in and are late: {@link ModelJournal.hearLate}. */
  late: string[] | undefined
  /** Every announcement that was made over this connection. */
  readonly announced: string[] = []
  tails = 0
  listens = 0

  constructor(database: ModelDatabase, { mostTags = 100_000 } = {}) {
    this.#database = database
    this.#mostTags = mostTags
    database.journals.push(this)
  }

  /** Tails begun from now on have seen what they see, but do not come back before {@link ModelJournal.release}. */
  hold(): void {
    this.#held ??= deferred()
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  async tail(since: string | undefined, identity: string | undefined): Promise<TailAnswer> {
    this.tails += 1
    if (this.failure !== undefined) throw this.failure
    await this.travel('a tail')
    const answer = this.#database.tail(since, identity, this.#mostTags)
    await this.#held?.promise
    await this.travel('the answer to a tail')
    return this.fault === undefined ? answer : { ...answer, identity: undefined, fault: this.fault }
  }

  /** As in SQL: without tags there is no row, and no transaction. */
  async touch(tags: readonly string[]): Promise<number> {
    return tags.length === 0 ? -1 : this.#database.change(tags)
  }

  async mark(everyMs: number): Promise<void> {
    this.#database.mark(everyMs)
  }

  async prune(ms: number): Promise<number> {
    return this.#database.prune(ms)
  }

  readonly listen = async (onPayload: (payload: string) => void): Promise<Announcements> => {
    this.listens += 1
    const ended = deferred()
    const end = (): void => {
      this.#listening.delete(onPayload)
      ended.resolve()
    }
    this.#listening.set(onPayload, end)
    return {
      announce: async (payload) => {
        this.announced.push(payload)
        for (const journal of this.#database.journals) {
          void journal.travel('an announcement').then(
            () => journal.hear(payload),
            () => {},
          )
        }
      },
      closed: ended.promise,
      close: async () => end(),
    }
  }

  /** As from the database; also for one that is repeated, early or forged. */
  hear(payload: string): void {
    if (this.isDeaf) return
    if (this.late === undefined) for (const onPayload of this.#listening.keys()) onPayload(payload)
    else this.late.push(payload)
  }

  hearLate(): void {
    const late = this.late ?? []
    this.late = undefined
    for (const payload of late) this.hear(payload)
  }

  /** The connection that listens breaks. */
  cut(): void {
    for (const end of this.#listening.values()) end()
  }
}

function snapshotOf(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`no snapshot: ${text}`)
  return snapshot
}
