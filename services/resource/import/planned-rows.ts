import { createHash } from 'node:crypto'
import type { ColumnValues } from '../sql/columns.js'
import type { ResourceDefinition } from '../definition.js'
import type { Candidate } from './candidates.js'
import type { Difference } from './row.js'

/** One way to know a row: its id, its external_id or its natural key. */
export interface RowKey {
  readonly by: 'id' | 'external_id' | 'natural_key'
  readonly key: string
}

/** Rows of what: of a resource, or users. */
export type PlannedTable = Pick<ResourceDefinition, 'name' | 'naturalKey'> &
  Partial<Pick<ResourceDefinition, 'columns'>>

/** A line of a dry run that is looked for. */
export interface PlannedLine {
  readonly nth: number
  readonly keys: readonly RowKey[]
  readonly columns: ColumnValues
}

/** A row that a dry run would have made, or changed: then of those columns alone. */
export interface Plan {
  readonly id: string
  readonly userId: string
  readonly isNew: boolean
  /** It has an external_id. */
  readonly isNamed: boolean
  /** Of each column that is planned its number and a digest of its value. */
  readonly values: string
}

/** Of rows with one natural key so many are looked at, as the database does it. */
const MOST_ALIKE = 1_000
const [DIGEST_BYTES, KEY_BYTES] = [5, 16]
/** Ids of rows that would be made; the database makes no such ids. */
const PLANNED_ID = '00000000-0000-0000-0000-'

export function isPlannedId(id: string): boolean {
  return id.startsWith(PLANNED_ID)
}

/**
 * What a dry run would have written, for the lines that come later: they meet it as they would meet it in the database. A row takes some
 * four hundred bytes, of which digests stand for its values.
 */
export class PlannedRows {
  readonly #plans = new Map<string, Plan | readonly Plan[]>()
  readonly #columns = new Map<string, number>()
  /** What was there before the work under way, for {@link PlannedRows.takeBack}. */
  #before: (readonly [place: string, plans: Plan | readonly Plan[] | undefined])[] = []
  #count = 0

  /** What is planned from now on can be taken back. */
  begin(): void {
    this.#before = []
  }

  /** The work failed: it will be done anew, and must not meet what it had planned itself. */
  takeBack(): void {
    for (const [place, plans] of this.#before.toReversed()) {
      if (plans === undefined) this.#plans.delete(place)
      else this.#plans.set(place, plans)
    }
    this.#before = []
  }

  /** @returns the id of the row that would be made: the one that it keeps, or one that no row has */
  create(table: PlannedTable, userId: string, { keys, columns }: PlannedLine): string {
    this.#count += 1
    const kept = keys.find(({ by }) => by === 'id')?.key
    const id = kept ?? `${PLANNED_ID}${this.#count.toString(16).padStart(12, '0')}`
    const isNamed = typeof columns['external_id'] === 'string'
    const isComplete = keys.some(({ by }) => by === 'natural_key')
    const known = isComplete ? keys : [...keys, ...naturalKeyOf(table, columns)]
    this.#add(table, known, { id, userId, isNew: true, isNamed, values: this.#packed(table, columns) })
    return id
  }

  /** The columns of the line would be written to a row that is there, or planned. */
  change(table: PlannedTable, userId: string, { keys, columns }: PlannedLine, id: string): void {
    const before = this.#find(table, userId, { by: 'id', key: id })
    const values = this.#packed(table, columns) + (before?.values ?? '')
    const isNamed = typeof columns['external_id'] === 'string' || before?.isNamed === true
    // A natural key of which the line leaves out a column is not known.
    const isKnown = (table.naturalKey ?? []).every((column) => column in columns)
    const known = keys.filter(({ by }) => by === 'external_id' || (by === 'natural_key' && isKnown))
    this.#add(table, [...known, { by: 'id', key: id }], {
      id,
      userId,
      isNew: before?.isNew === true,
      isNamed,
      values,
    })
  }

  /** The rows that a line may mean: those that the database has for it, as they would be by now, and planned ones. */
  candidates(
    table: PlannedTable,
    userId: string,
    line: PlannedLine,
    there: readonly Candidate[],
  ): readonly PlannedCandidate[] {
    const found = there.flatMap((candidate): PlannedCandidate[] => {
      const plan = this.#find(table, userId, { by: 'id', key: candidate.id })
      if (plan === undefined) return [candidate]
      return this.#isStill(table, plan, candidate.found_by, line) ? [{ ...candidate, plan }] : []
    })
    for (const key of line.keys) {
      const { by } = key
      for (const plan of this.#all(table, userId, key)) {
        const isThere = found.some(({ id, found_by: foundBy }) => id === plan.id && foundBy === by)
        if (isThere || !this.#isStill(table, plan, by, line)) continue
        found.push({ nth: line.nth, id: plan.id, user_id: plan.userId, found_by: by, plan })
      }
    }
    return found
  }

  /** The planned row that a reference names by its id or its external_id. */
  idOf(table: PlannedTable, userId: string, key: RowKey): string | undefined {
    const plan = this.#find(table, userId, key)
    return plan?.userId === userId ? plan.id : undefined
  }

  /**
   * In what the planned row differs from a line.
   * @param defaults what columns hold that a new row does not name
   * @param differing in what the row that is there differs
   */
  differing(
    table: PlannedTable,
    { values, isNew }: Plan,
    columns: ColumnValues,
    { defaults = {}, differing = [] }: { defaults?: ColumnValues; differing?: readonly Difference[] },
  ): readonly Difference[] {
    return Object.entries(columns).flatMap(([name, value]) => {
      const planned = this.#digestIn(values, name) ?? (isNew ? digestOf(table, name, defaults[name]) : undefined)
      if (planned === undefined) return differing.filter(({ column }) => column === name)
      return planned === digestOf(table, name, value) ? [] : [{ column: name }]
    })
  }

  /** Whether the row is still known so, after what is planned. */
  #isStill(table: PlannedTable, plan: Plan, by: RowKey['by'], { columns }: PlannedLine): boolean {
    if (by === 'id') return true
    if (by === 'natural_key' && plan.isNamed && typeof columns['external_id'] === 'string') return false
    const names = by === 'external_id' ? ['external_id'] : (table.naturalKey ?? [])
    return names.every((name) => {
      const planned = this.#digestIn(plan.values, name)
      return planned === undefined || planned === digestOf(table, name, columns[name])
    })
  }

  #add(table: PlannedTable, keys: readonly RowKey[], plan: Plan): void {
    for (const key of keys) {
      const place = placeOf(table, plan.userId, key, plan.isNamed)
      const plans = this.#plans.get(place)
      this.#before.push([place, plans])
      const others = [plans ?? []].flat().filter(({ id }) => id !== plan.id)
      if (others.length < MOST_ALIKE) this.#plans.set(place, others.length === 0 ? plan : [...others, plan])
    }
  }

  #find(table: PlannedTable, userId: string, key: RowKey): Plan | undefined {
    return this.#all(table, userId, key)[0]
  }

  #all(table: PlannedTable, userId: string, key: RowKey): readonly Plan[] {
    const ways = key.by === 'natural_key' ? [false, true] : [false]
    const plans = ways.flatMap((isNamed) => this.#plans.get(placeOf(table, userId, key, isNamed)) ?? [])
    return plans.slice(0, MOST_ALIKE)
  }

  #packed(table: PlannedTable, columns: ColumnValues): string {
    const values = Object.entries(columns).map(([name, value]) => {
      return String.fromCharCode(this.#number(name)) + digestOf(table, name, value)
    })
    return values.join('')
  }

  #digestIn(values: string, name: string): string | undefined {
    const number = this.#number(name)
    for (let at = 0; at < values.length; at += 1 + DIGEST_BYTES) {
      if (values.charCodeAt(at) === number) return values.slice(at + 1, at + 1 + DIGEST_BYTES)
    }
    return undefined
  }

  #number(name: string): number {
    const known = this.#columns.get(name) ?? this.#columns.size
    this.#columns.set(name, known)
    return known
  }
}

/** Also a row of the database's, to which changes are planned. */
export interface PlannedCandidate extends Candidate {
  readonly plan?: Plan
}

/** None of a table that has no such key. */
export function naturalKeyOf({ naturalKey = [] }: PlannedTable, columns: ColumnValues): readonly RowKey[] {
  if (naturalKey.length === 0) return []
  return [{ by: 'natural_key', key: JSON.stringify(naturalKey.map((column) => columns[column] ?? null)) }]
}

/** Rows with and without an external_id are apart: a line that has one looks at the others alone. */
function placeOf({ name }: PlannedTable, userId: string, { by, key }: RowKey, isNamed: boolean): string {
  const owner = by === 'id' ? '' : userId
  return shortHash(JSON.stringify([name, owner, by, key, by === 'natural_key' && isNamed]), KEY_BYTES)
}

/** Short values come again and again: of so many the digest is kept. */
const [SHORT_CHARACTERS, MOST_SHORT] = [24, 10_000]
const shortDigests = new Map<string, string>()

/** The database compares jsonb without regard to the order of its keys. */
function digestOf({ columns = {} }: PlannedTable, name: string, value: unknown): string {
  const isSorted = columns[name] === 'jsonb' && typeof value === 'string'
  const text = JSON.stringify(isSorted ? sorted(JSON.parse(value)) : (value ?? null))
  if (text.length > SHORT_CHARACTERS) return shortHash(text, DIGEST_BYTES)
  if (shortDigests.size >= MOST_SHORT) shortDigests.clear()
  const digest = shortDigests.get(text) ?? shortHash(text, DIGEST_BYTES)
  shortDigests.set(text, digest)
  return digest
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]))
}

function shortHash(text: string, bytes: number): string {
  return createHash('sha256').update(text).digest().toString('latin1', 0, bytes)
}
