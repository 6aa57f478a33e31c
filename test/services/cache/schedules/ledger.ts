import {
  type Clock,
  type EntryOptions,
  JournalUnavailableError,
  type Lookup,
} from '../../../../services/cache/index.js'

/** Two rows, a list of both, and an entry that shows row `a` without its reader knowing before the load. */
export const KEYS = ['a', 'b', 'list', 'shows a'] as const
export type Key = (typeof KEYS)[number]
export type Row = 'a' | 'b'

/** What a write of a row raises. */
export function tagsOf(row: Row): readonly string[] {
  return [`u/${row}`, 'u/rows']
}

const TAGS: Readonly<Record<Key, readonly string[]>> = {
  a: ['u/a', 'u/all'],
  b: ['u/b', 'u/all'],
  list: ['u/rows', 'u/all'],
  'shows a': ['u/shows', 'u/all'],
}

const SHOWN_BY: Readonly<Record<Row, readonly Key[]>> = { a: ['a', 'list', 'shows a'], b: ['b', 'list'] }

const POLICY = { domain: 'rows', ttl: 3_000, grace: 1_000, negativeTtl: 1_500 }

/** Row `b` is never answered on error. */
export function optionsOf(key: Key): EntryOptions<string> {
  const showing = key === 'shows a' ? { tagsOf: () => ['u/a'] } : {}
  return { ...POLICY, tags: TAGS[key], mayServeOnError: key !== 'b', ...showing }
}

/** What a load of `key` finds in these rows. */
export function valueIn(rows: ReadonlyMap<string, string>, key: Key): string | undefined {
  return key === 'list' ? `${rows.get('a') ?? '-'} ${rows.get('b') ?? '-'}` : rows.get(key === 'b' ? 'b' : 'a')
}

/** A read as it began. */
export interface Began {
  readonly key: Key
  readonly replica: string
  readonly at: number
  /** Of what its replica had acknowledged by then, or the version that it waited for: the answer may not be from before. */
  readonly acknowledged: number
}

/** What a key's value became, when. */
interface Change {
  readonly at: number
  readonly value: string | undefined
}

/** Knows every value that a key has had, in order, and judges every answer. Broken promises are kept in words. */
export class Ledger {
  readonly broken: string[] = []
  readonly #clock: Clock
  readonly #boundMs: number
  readonly #staleIfErrorMs: number
  readonly #changes: Record<Key, Change[]>
  /** By replica and key: the place of the last change that it acknowledged. */
  readonly #acknowledged = new Map<string, number>()

  constructor(options: { clock: Clock; boundMs: number; staleIfErrorMs: number }) {
    this.#clock = options.clock
    this.#boundMs = options.boundMs
    this.#staleIfErrorMs = options.staleIfErrorMs
    const beginning = (key: Key): Change[] => [{ at: Number.NEGATIVE_INFINITY, value: valueIn(new Map(), key) }]
    this.#changes = { a: beginning('a'), b: beginning('b'), list: beginning('list'), 'shows a': beginning('shows a') }
  }

  /** A transaction has committed, or the database has gone back: these are the rows now. */
  changed(rows: ReadonlyMap<string, string>): void {
    for (const key of KEYS) {
      const value = valueIn(rows, key)
      if (value !== this.#changes[key].at(-1)?.value) this.#changes[key].push({ at: this.#clock.now(), value })
    }
  }

  /** How far each key has come. */
  places(): Readonly<Record<Key, number>> {
    const place = (key: Key): number => this.#changes[key].length - 1
    return { a: place('a'), b: place('b'), list: place('list'), 'shows a': place('shows a') }
  }

  /** What `replica` answers from now on of what shows `row` may be no older. */
  acknowledged(replica: string, row: Row, places: Readonly<Record<Key, number>>): void {
    for (const key of SHOWN_BY[row]) {
      const name = `${replica} ${key}`
      this.#acknowledged.set(name, Math.max(this.#acknowledged.get(name) ?? 0, places[key]))
    }
  }

  /** A process that was started anew has acknowledged nothing; what a crash took back was acknowledged in vain. */
  forget(replica?: string): void {
    for (const name of this.#acknowledged.keys()) if (name.startsWith(replica ?? '')) this.#acknowledged.delete(name)
  }

  begin(key: Key, replica: string, waitedFor = 0): Began {
    const acknowledged = Math.max(waitedFor, this.#acknowledged.get(`${replica} ${key}`) ?? 0)
    return { key, replica, at: this.#clock.now(), acknowledged }
  }

  answered({ key, replica, at, acknowledged }: Began, { value, outcome, tier }: Lookup<string>): void {
    const changes = this.#changes[key]
    const place = changes.findLastIndex((change) => change.value === value)
    const answer = `${replica} answered ${key} = ${value ?? 'nothing'} (${outcome}, ${tier ?? 'database'})`
    if (place < 0) this.broken.push(`${answer}, which it has never been`)
    const isMarked = outcome === 'stale-if-error'
    const since = isMarked ? this.#clock.now() - this.#staleIfErrorMs : at
    const floor = changes.findLastIndex((change) => change.at <= since - this.#boundMs)
    const wanted = changes[floor]?.value ?? 'nothing'
    if (place < floor) this.broken.push(`${answer}, but ${wanted} had been committed more than H before`)
    if (isMarked && key === 'b') this.broken.push(`${answer}, which may never be answered on error`)
    if (!isMarked && place < acknowledged) {
      this.broken.push(`${answer}, but it had acknowledged ${changes[acknowledged]?.value ?? 'nothing'} before`)
    }
  }

  /** A read may fail with what the database says, or because nothing can say what is current, and with nothing else. */
  failed({ key, replica }: Began, error: unknown): void {
    if (error instanceof NoAnswer || error instanceof JournalUnavailableError) return
    this.broken.push(`${replica} failed to read ${key}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The database, or Redis, does not answer. */
export class NoAnswer extends Error {}
