import type { Clock, Lookup, RaisedTag } from '../../../../services/cache/index.js'

/** What the service stores: two rows, and a list whose value is the sum of theirs. A value is the row's version, 0 for "no such row". */
export const KEYS = ['a', 'b', 'list'] as const
export type Key = (typeof KEYS)[number]
export type Values = Readonly<Record<Key, number>>

/** A read as it began: what it may not be older than. */
export interface Began {
  readonly key: Key
  readonly replica: string
  readonly at: number
  readonly redisFloor: number
  readonly redisLosses: number
}

/** Knows every commit and every raise, and judges every answer. Broken promises are kept in words. */
export class Ledger {
  readonly broken: string[] = []
  readonly #clock: Clock
  readonly #boundMs: number
  readonly #staleIfErrorMs: number
  #rows = { a: 0, b: 0 }
  #isDatabaseBlameless = true
  #redisLosses = 0
  /** Per key: the value that every commit of one of its tags left, with its moment. */
  readonly #commits: Record<Key, { at: number; value: number }[]> = { a: [], b: [], list: [] }
  readonly #valuesAt = new Map<string, Values>()
  #redisFloor: Values = { a: 0, b: 0, list: 0 }

  constructor(options: { clock: Clock; boundMs: number; staleIfErrorMs: number }) {
    this.#clock = options.clock
    this.#boundMs = options.boundMs
    this.#staleIfErrorMs = options.staleIfErrorMs
  }

  get values(): Values {
    return { ...this.#rows, list: this.#rows.a + this.#rows.b }
  }

  change(row: 'a' | 'b'): void {
    this.#rows = { ...this.#rows, [row]: this.#rows[row] + 1 }
  }

  /** A transaction has committed with these tags; the rows have been changed, those behind a clear past the cache. */
  committed(raised: readonly RaisedTag[]): void {
    if (raised.some(({ tag }) => tag === '*')) this.#rows = { a: this.#rows.a + 1, b: this.#rows.b + 1 }
    const { values } = this
    for (const { tag, version } of raised) {
      this.#valuesAt.set(`${tag}=${version}`, values)
      for (const key of KEYS) {
        if (tag === '*' || TAGS[key].includes(tag))
          this.#commits[key].push({ at: this.#clock.now(), value: values[key] })
      }
    }
  }

  /** Redis has run a raise of this tag. */
  raisedInRedis(tag: string, version: number): void {
    const values = this.#valuesAt.get(`${tag}=${version}`)
    if (values === undefined) return
    const floor = { ...this.#redisFloor }
    for (const key of KEYS) if (TAGS[key].includes(tag)) floor[key] = Math.max(floor[key], values[key])
    this.#redisFloor = floor
  }

  get redisFloor(): Values {
    return this.#redisFloor
  }

  /** Redis went back to an older copy, which had these raises. */
  redisWentBack(floor: Values): void {
    this.#redisFloor = floor
    this.#redisLosses += 1
  }

  databaseStopped(): void {
    this.#isDatabaseBlameless = false
  }

  begin(key: Key, replica: string): Began {
    return { key, replica, at: this.#clock.now(), redisFloor: this.#redisFloor[key], redisLosses: this.#redisLosses }
  }

  answered(began: Began, lookup: Lookup): void {
    const value = valueOf(lookup)
    const { key, replica } = began
    const isMarked = lookup.outcome === 'stale-if-error'
    const since = isMarked ? this.#clock.now() - this.#staleIfErrorMs : began.at
    const floor = this.#floorAt(key, since - this.#boundMs)
    const answer = `${replica} answered ${key} = ${value} (${lookup.outcome}, ${lookup.tier ?? 'database'})`
    if (value < floor) {
      this.broken.push(
        `${answer}, but ${floor} had been committed more than H before ${isMarked ? 'the limit' : 'the read began'}`,
      )
    }
    if (isMarked && key === 'b') this.broken.push(`${answer}, which may never be served on error`)
    if (lookup.tier !== 'redis' || began.redisLosses !== this.#redisLosses || value >= began.redisFloor) return
    this.broken.push(`${answer}, but Redis had run the raise of ${began.redisFloor} before the read began`)
  }

  failed(began: Began, error: unknown): void {
    if (!this.#isDatabaseBlameless) return
    this.broken.push(
      `${began.replica} failed to read ${began.key}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }

  #floorAt(key: Key, moment: number): number {
    let floor = 0
    for (const { at, value } of this.#commits[key]) if (at <= moment) floor = Math.max(floor, value)
    return floor
  }
}

/** The tags of each entry; a write of a row raises its own and the list's. One row is named by its tag. */
export const TAGS: Readonly<Record<Key, readonly string[]>> = {
  a: ['u/tag-a', 'u/owner'],
  b: ['u/b', 'u/owner'],
  list: ['u/tag-list', 'u/owner'],
}

export function valueOf({ document }: Lookup): number {
  return document === undefined ? 0 : document.parse<number>()
}
