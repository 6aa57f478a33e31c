import type { Clock, JournalSession, JournalStore, RaisedTag } from '../../../services/cache/index.js'
import { deferred } from './deferred.js'
import { Channel, type Network } from './network.js'

interface Row {
  readonly tag: string
  readonly version: number
  readonly changedIn: number
  readonly changedAt: number
}

/** PostgreSQL refuses payloads of 8,000 bytes; the store leaves them out from here on. */
const MAX_PAYLOAD_BYTES = 7_900
/** As in services/database/cache-journal.ts: a row may be visible this much later than it is dated. */
const COMMIT_LAG_MS = 60_000

/** PostgreSQL with the journal's table, its sequence, its snapshots and its notifications. */
export class ModelJournal {
  readonly #clock: Clock
  readonly #onCommit: (raised: readonly RaisedTag[]) => void
  readonly #rows = new Map<string, Row>()
  readonly #locks = new Map<string, ModelTransaction>()
  readonly #open = new Set<ModelTransaction>()
  readonly #sessions = new Set<ModelSession>()
  #nextXid = 700
  #nextVersion = 1
  #identity: { readonly id: string; readonly secret: string }
  #isDown = false

  constructor(options: { clock: Clock; id?: string; onCommit?: (raised: readonly RaisedTag[]) => void }) {
    this.#clock = options.clock
    this.#identity = { id: options.id ?? 'journal', secret: 'secret' }
    this.#onCommit = options.onCommit ?? (() => {})
  }

  /** The journal as one replica's process sees it. */
  store(options: StoreOptions): ModelJournalStore {
    return new ModelJournalStore(this, options)
  }

  get isDown(): boolean {
    return this.#isDown
  }

  /** Ends every session and rolls back every open transaction; statements fail until {@link ModelJournal.start}. */
  stop(): void {
    this.#isDown = true
    for (const transaction of [...this.#open]) transaction.rollback()
    for (const session of [...this.#sessions]) session.cut()
  }

  start(): void {
    this.#isDown = false
  }

  begin(): ModelTransaction {
    const transaction = new ModelTransaction(this, this.#nextXid++)
    this.#open.add(transaction)
    return transaction
  }

  get identity(): { readonly id: string; readonly secret: string } {
    return this.#identity
  }

  renewIdentity(id: string): void {
    if (this.#identity.id === id) this.#identity = { ...this.#identity, id: `${id}-renewed` }
  }

  versionOf(tag: string): number {
    return this.#rows.get(tag)?.version ?? 0
  }

  changedWithin(ms: number, after: string, limit: number): RaisedTag[] {
    const rows = [...this.#rows.values()].filter((row) => row.tag > after && !this.#isOlder(row, ms + COMMIT_LAG_MS))
    rows.sort((a, b) => (a.tag < b.tag ? -1 : 1))
    return rows.slice(0, limit).map(toRaisedTag)
  }

  prune(ms: number): number {
    const old = [...this.#rows.values()].filter(
      (row) => row.tag !== '*' && this.#isOlder(row, ms) && !this.#locks.has(row.tag),
    )
    for (const { tag } of old) this.#rows.delete(tag)
    return old.length
  }

  /** One statement, one snapshot. */
  tail(cursor: string | undefined): { cursor: string; raised: RaisedTag[] } {
    const xmin = Math.min(this.#nextXid, ...[...this.#open].map(({ xid }) => xid))
    if (cursor === undefined) return { cursor: String(xmin), raised: [] }
    const from = xmin < Number(cursor) ? 0 : Number(cursor)
    const raised = [...this.#rows.values()].filter(({ changedIn }) => changedIn >= from)
    return { cursor: String(xmin), raised: raised.map(toRaisedTag) }
  }

  /** The server's history is replaced by an older one: rows and transaction ids go back. */
  goBack(rows: ReadonlyMap<string, Row>, nextXid: number): void {
    this.#rows.clear()
    for (const [tag, row] of rows) this.#rows.set(tag, row)
    this.#nextXid = nextXid
  }

  history(): { rows: ReadonlyMap<string, Row>; nextXid: number } {
    return { rows: new Map(this.#rows), nextXid: this.#nextXid }
  }

  attach(session: ModelSession): void {
    this.#sessions.add(session)
  }

  detach(session: ModelSession): void {
    this.#sessions.delete(session)
  }

  /** Takes the row's lock, waiting for the transaction that has it. */
  async lock(tag: string, transaction: ModelTransaction): Promise<void> {
    for (
      let holder = this.#locks.get(tag);
      holder !== undefined && holder !== transaction;
      holder = this.#locks.get(tag)
    ) {
      await holder.ended
    }
    if (transaction.hasEnded) throw new Error('The transaction was rolled back')
    this.#locks.set(tag, transaction)
  }

  /** Under the row's lock, so that versions go up in the order of the commits. */
  draw(tag: string, transaction: ModelTransaction): Row {
    return { tag, version: this.#nextVersion++, changedIn: transaction.xid, changedAt: this.#clock.wallMs() }
  }

  end(transaction: ModelTransaction, rows: readonly Row[]): void {
    this.#open.delete(transaction)
    for (const [tag, holder] of this.#locks) if (holder === transaction) this.#locks.delete(tag)
    for (const row of rows) this.#rows.set(row.tag, row)
    if (rows.length === 0) return
    this.#onCommit(rows.map(toRaisedTag))
    const payload = JSON.stringify(rows.map(({ tag, version }) => [tag, version]))
    const raised = Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES ? [] : rows.map(toRaisedTag)
    for (const session of this.#sessions) session.notify(raised)
  }

  #isOlder(row: Row, ms: number): boolean {
    return row.changedAt <= this.#clock.wallMs() - ms
  }
}

export class ModelTransaction {
  readonly xid: number
  readonly ended: Promise<void>
  readonly #journal: ModelJournal
  readonly #rows = new Map<string, Row>()
  readonly #ended = deferred()
  #hasEnded = false

  constructor(journal: ModelJournal, xid: number) {
    this.#journal = journal
    this.xid = xid
    this.ended = this.#ended.promise
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  async raise(tags: readonly string[]): Promise<RaisedTag[]> {
    const raised: RaisedTag[] = []
    for (const tag of [...new Set(tags)].sort()) {
      await this.#journal.lock(tag, this)
      const row = this.#journal.draw(tag, this)
      this.#rows.set(tag, row)
      raised.push(toRaisedTag(row))
    }
    return raised
  }

  /** `apply` changes the rows beside the journal, at the same moment. False: it had been rolled back. */
  commit(apply: () => void = () => {}): boolean {
    if (this.#hasEnded) return false
    apply()
    this.#end([...this.#rows.values()])
    return true
  }

  rollback(): void {
    if (!this.#hasEnded) this.#end([])
  }

  #end(rows: readonly Row[]): void {
    this.#hasEnded = true
    this.#journal.end(this, rows)
    this.#ended.resolve()
  }
}

interface StoreOptions {
  readonly network: Network
  /** How long a tail may take before its session is given up; without it, for ever. */
  readonly tailLimit?: { readonly clock: Clock; readonly ms: number }
  /** For labels: `replica 1`. */
  readonly name: string
}

interface SessionOptions extends StoreOptions {
  readonly onRaised: (raised: readonly RaisedTag[]) => void
}

/** A process's way to the journal: every statement takes a message there and one back. */
export class ModelJournalStore implements JournalStore {
  readonly #journal: ModelJournal
  readonly #options: StoreOptions
  /** Sessions that this process opened and that have not ended. */
  readonly sessions = new Set<ModelSession>()
  readonly #transactions = new Set<ModelTransaction>()

  constructor(journal: ModelJournal, options: StoreOptions) {
    this.#journal = journal
    this.#options = options
  }

  identity(): Promise<{ readonly id: string; readonly secret: string }> {
    return this.ask('identity', () => this.#journal.identity)
  }

  renewIdentity(id: string): Promise<void> {
    return this.ask('renew identity', () => this.#journal.renewIdentity(id))
  }

  versionOf(tag: string): Promise<number> {
    return this.ask('version', () => this.#journal.versionOf(tag))
  }

  /** Opens a transaction, which ends with this process if not before. */
  begin(): Promise<ModelTransaction> {
    return this.ask('begin', () => {
      const transaction = this.#journal.begin()
      this.#transactions.add(transaction)
      void transaction.ended.then(() => this.#transactions.delete(transaction))
      return transaction
    })
  }

  async raise(tags: readonly string[]): Promise<RaisedTag[]> {
    if (tags.length === 0) return []
    const transaction = await this.begin()
    try {
      const raised = await transaction.raise(tags)
      const isCommitted = await this.ask('commit', () => transaction.commit())
      if (!isCommitted) throw new Error('The transaction was rolled back')
      return raised
    } finally {
      transaction.rollback()
    }
  }

  async open(onRaised: (raised: readonly RaisedTag[]) => void): Promise<ModelSession> {
    return this.ask('listen', () => {
      const session = new ModelSession(this.#journal, this, { ...this.#options, onRaised })
      this.sessions.add(session)
      return session
    })
  }

  changedWithin(ms: number, after: string | undefined, limit: number): Promise<readonly RaisedTag[]> {
    return this.ask('resync page', () => this.#journal.changedWithin(ms, after ?? '', limit))
  }

  countChangedWithin(ms: number): Promise<number> {
    return this.ask('resync count', () => this.#journal.changedWithin(ms, '', Number.MAX_SAFE_INTEGER).length)
  }

  prune(ms: number): Promise<number> {
    return this.ask('prune', () => this.#journal.prune(ms))
  }

  /** Rolls back whatever this process has open. */
  rollBack(): void {
    for (const transaction of [...this.#transactions]) transaction.rollback()
  }

  /** The process died: the server rolls back what it had open. */
  kill(): void {
    this.rollBack()
    for (const session of [...this.sessions]) session.cut()
  }

  /** Runs `statement` at the server when it arrives there; the answer takes a message of its own. */
  ask<T>(label: string, statement: () => T): Promise<T> {
    const { network, name } = this.#options
    return new Promise((resolve, reject) => {
      network.post(`${name} → Postgres: ${label}`, () => {
        network.tell?.(() => `${name} → Postgres: ${label}`)
        const isDown = this.#journal.isDown
        const answer = isDown ? undefined : { value: statement() }
        network.post(`Postgres → ${name}: ${label}`, () => {
          network.tell?.(() => `Postgres → ${name}: ${label} answered ${JSON.stringify(answer?.value)}`)
          if (answer === undefined) reject(new Error('The database does not answer'))
          else resolve(answer.value)
        })
      })
    })
  }
}

/** A connection that listens. Notifications arrive in the order of the commits, or, when it is deaf, never. */
export class ModelSession implements JournalSession {
  readonly closed: Promise<Error | undefined>
  readonly #journal: ModelJournal
  readonly #store: ModelJournalStore
  readonly #options: SessionOptions
  readonly #notifications: Channel
  readonly #closed = deferred<Error | undefined>()
  #hasEnded = false
  isDeaf = false

  constructor(journal: ModelJournal, store: ModelJournalStore, options: SessionOptions) {
    this.#journal = journal
    this.#store = store
    this.#options = options
    this.#notifications = new Channel(options.network, { label: `notification → ${options.name}` })
    this.closed = this.#closed.promise
    journal.attach(this)
  }

  async tail(cursor: string | undefined): Promise<{ cursor: string; raised: readonly RaisedTag[] }> {
    const { tailLimit } = this.#options
    const cancel = tailLimit?.clock.after(tailLimit.ms, () => this.cut(new Error('The tail took too long')))
    const tail = this.#store.ask('tail', () => (this.#hasEnded ? undefined : this.#journal.tail(cursor)))
    const answer = await Promise.race([tail, this.closed]).finally(() => cancel?.())
    if (answer === undefined || answer instanceof Error || this.#hasEnded) throw new Error('The connection ended')
    return answer
  }

  async close(): Promise<void> {
    this.#end(undefined)
  }

  /** Ends the connection, at both sides at once. */
  cut(reason = new Error('The connection broke')): void {
    this.#end(reason)
  }

  #end(reason: Error | undefined): void {
    this.#hasEnded = true
    this.#journal.detach(this)
    this.#store.sessions.delete(this)
    this.#notifications.cut()
    this.#closed.resolve(reason)
  }

  notify(raised: readonly RaisedTag[]): void {
    if (this.isDeaf) return
    this.#notifications.send(
      () => this.#options.onRaised(raised),
      () => JSON.stringify(raised.map(({ tag, version }) => `${tag}=${version}`)),
    )
  }
}

function toRaisedTag({ tag, version }: Row): RaisedTag {
  return { tag, version }
}
