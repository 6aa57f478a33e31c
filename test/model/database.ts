import type { Change, TailAnswer } from '../../services/cache/journal/journal.js'
import { parseSnapshot, type Snapshot } from '../../services/cache/core/snapshot.js'
import type { Fault } from './faults.js'

/** The first transaction of every history. */
const FIRST_ID = 8
const NOTHING = snapshotFrom('1:1:')

export interface Write {
  readonly id: number
  readonly replica: number
  readonly state: 'open' | 'committed' | 'acknowledged' | 'aborted' | 'lost'
}

interface Row {
  readonly id: number
  readonly write: number
  readonly tags: readonly string[]
}

/** `pg_visible_in_snapshot`: what SQL uses, not the core. */
function isVisible(id: number, { xmax, xip }: Snapshot): boolean {
  return id < xmax && !xip.includes(id)
}

/** The comparison as SQL has it, not the core's. */
function covers(later: Snapshot, earlier: Snapshot): boolean {
  if (later.xmax === earlier.xmax) return later.xip.every((id) => earlier.xip.includes(id))
  return later.xmax > earlier.xmax
}

export function snapshotFrom(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`The model made no snapshot but ${text}`)
  return snapshot
}

/** Postgres with its transactions, the journal and its state row. Sets of writes are bits: write n is `1 << n`. */
export class Database {
  epoch = 1
  writes: Write[] = []
  rows: Row[] = []
  /** Visible to who asks now. */
  visible = 0
  lost = 0
  marks: Snapshot[] = []
  /** Marks that were taken in a transaction which is still open. */
  taken: Snapshot[] = []
  pruned = NOTHING
  #nextId = FIRST_ID
  #latestCompleted = FIRST_ID - 1
  #running: number[] = []
  #commitOrder: number[] = []
  #snapshot: Snapshot | undefined

  constructor(
    readonly specs: readonly (readonly (readonly string[])[])[],
    readonly fault: Fault | undefined,
  ) {}

  clone(): Database {
    const copy = new Database(this.specs, this.fault)
    copy.epoch = this.epoch
    copy.writes = this.writes.slice()
    copy.rows = this.rows.slice()
    copy.visible = this.visible
    copy.lost = this.lost
    copy.marks = this.marks.slice()
    copy.taken = this.taken.slice()
    copy.pruned = this.pruned
    copy.#nextId = this.#nextId
    copy.#latestCompleted = this.#latestCompleted
    copy.#running = this.#running.slice()
    copy.#commitOrder = this.#commitOrder.slice()
    copy.#snapshot = this.#snapshot
    return copy
  }

  get key(): string {
    const writes = this.writes.map(({ id, replica, state }) => `${id}${state.slice(0, 2)}${replica}`).join()
    const rows = this.rows.map(({ write }) => write).sort((a, b) => a - b)
    const marks = this.marks.map(({ text }) => text).sort()
    const taken = this.taken.map(({ text }) => text).sort()
    const order = this.#commitOrder.join('')
    return `${this.epoch}|${writes}|${order}|${rows.join('')}|${marks.join()}|${taken.join()}|${this.pruned.text}`
  }

  get identity(): string {
    return `history ${this.epoch}`
  }

  /** `pg_current_snapshot()`. */
  get snapshot(): Snapshot {
    if (this.#snapshot !== undefined) return this.#snapshot
    const xmax = this.#latestCompleted + 1
    const xip = this.#running.filter((id) => id < xmax)
    this.#snapshot = snapshotFrom(`${xip[0] ?? xmax}:${xmax}:${xip.join()}`)
    return this.#snapshot
  }

  write(number: number): Write {
    const write = this.writes[number]
    if (write === undefined) throw new Error(`No write ${number}`)
    return write
  }

  tagsOf(number: number): readonly string[] {
    return (this.specs[number] ?? []).flat()
  }

  begin(replica: number): void {
    this.writes.push({ id: this.#nextId, replica, state: 'open' })
    this.#running.push(this.#nextId)
    this.#nextId += 1
  }

  commit(number: number): void {
    const { id } = this.write(number)
    this.#complete(number, 'committed')
    this.visible |= 1 << number
    this.#commitOrder.push(number)
    for (const tags of this.specs[number] ?? []) this.rows.push({ id, write: number, tags })
  }

  abort(number: number): void {
    this.#complete(number, 'aborted')
  }

  acknowledge(number: number): void {
    this.writes[number] = { ...this.write(number), state: 'acknowledged' }
  }

  #complete(number: number, state: Write['state']): void {
    const write = this.write(number)
    this.writes[number] = { ...write, state }
    this.#running = this.#running.filter((id) => id !== write.id)
    this.#latestCompleted = Math.max(this.#latestCompleted, write.id)
    this.#snapshot = undefined
  }

  /** How many commits a crash can take away: those of this history that came last. */
  get losable(): number {
    return Math.min(1, this.#commitOrder.length)
  }

  /**
   * What is open dies, the last `losses` commits are gone (a failover), ids above what is left are given again, and the
   * unlogged tables are empty.
   */
  crash(losses: number): void {
    this.writes.forEach((write, number) => {
      if (write.state === 'open') this.writes[number] = { ...write, state: 'aborted' }
    })
    for (const number of this.#commitOrder.splice(this.#commitOrder.length - losses, losses)) {
      this.writes[number] = { ...this.write(number), state: 'lost' }
      this.visible &= ~(1 << number)
      this.lost |= 1 << number
    }
    this.#nextId = Math.max(FIRST_ID, ...this.#commitOrder.map((number) => this.write(number).id + 1))
    this.#latestCompleted = this.#nextId - 1
    this.#running = []
    this.#snapshot = undefined
    if (this.fault === 'crash unnoticed') {
      this.rows = this.rows.filter(({ write }) => (this.lost & (1 << write)) === 0)
      return
    }
    this.epoch += 1
    this.rows = []
    this.marks = []
    this.taken = []
    this.pruned = NOTHING
  }

  /** Where a tail may begin that was given `since` of `identity`: there, or anew at its own snapshot or at one of the marks. */
  starts(since: Snapshot | undefined, identity: string | undefined): readonly Snapshot[] {
    const isKnown =
      since !== undefined && (identity === this.identity || this.fault === 'identity not compared by a tail')
    if (isKnown && (this.fault === 'cursor not compared with pruned' || this.#isAnswerable(since))) return [since]
    const marks = this.fault === 'any mark' ? this.marks : this.marks.filter((mark) => this.#isAnswerable(mark))
    return [this.snapshot, ...marks]
  }

  #isAnswerable(since: Snapshot): boolean {
    return this.fault === 'pruned without xip' ? since.xmax >= this.pruned.xmax : covers(since, this.pruned)
  }

  /** One statement: everything in it is of one moment. */
  answer(from: Snapshot): TailAnswer & { readonly identity: string } {
    const changes: Change[] = []
    // In the order of ids, as the index has them: not that of commits.
    for (const { id, tags } of this.rows.toSorted((a, b) => a.id - b.id)) {
      if (this.#isAfter(id, from)) changes.push({ transaction: id, tags })
    }
    return { snapshot: this.snapshot.text, identity: this.identity, fault: undefined, from: from.text, changes }
  }

  #isAfter(id: number, from: Snapshot): boolean {
    if (this.fault === 'cursor is an xmax') return id >= from.xmax
    if (this.fault === 'cursor is an xmin') return id >= (from.xip[0] ?? from.xmax)
    return !isVisible(id, from)
  }

  /** Marks are taken at one moment and become visible at another, in any order. */
  takeMark(): void {
    this.taken.push(this.snapshot)
  }

  mark(number: number): void {
    this.marks.push(...this.taken.splice(number, 1))
  }

  prunable(mark: Snapshot): boolean {
    return this.fault === 'pruned goes down'
      ? mark !== this.pruned
      : covers(mark, this.pruned) && !covers(this.pruned, mark)
  }

  prune(number: number): void {
    const mark = this.marks[number]
    if (mark === undefined) return
    if (this.fault === 'rows deleted before pruned is committed') {
      this.rows = this.rows.filter(({ id }) => !isVisible(id, mark))
      return
    }
    this.pruned = mark
    if (this.fault === 'rows deleted by time') this.rows = []
  }

  canDelete(row: number): boolean {
    const id = this.rows[row]?.id ?? Infinity
    return this.fault === 'rows deleted below an xmax' ? id < this.pruned.xmax : isVisible(id, this.pruned)
  }

  /** A batch of a prune: `pruned` is read in the statement itself. */
  delete(row: number): void {
    this.rows.splice(row, 1)
  }

  /** Marks go when the rows have gone. */
  get canFinish(): boolean {
    return this.marks.some((mark) => !covers(mark, this.pruned)) && !this.rows.some((_, row) => this.canDelete(row))
  }

  finish(): void {
    this.marks = this.marks.filter((mark) => covers(mark, this.pruned))
  }
}
