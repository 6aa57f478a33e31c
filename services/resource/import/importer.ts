import { missingTag } from '../../cache/index.js'
import type { Queryable } from '../../database/database.js'
import { isDeadlock, isForeignKeyViolation, sqlState, violatedConstraint } from '../../database/errors.js'
import { NotFoundError } from '../../errors.js'
import { listTag, ownersWhenRefused, ownerTag } from '../addresses.js'
import { insertRows, lockBulkInserts } from '../sql/bulk-rows.js'
import { bodyColumnsOf } from '../body-columns.js'
import { type ColumnValues, DEFAULT } from '../sql/columns.js'
import { ColumnDefaults } from '../sql/defaults.js'
import type { ResourceDefinition } from '../definition.js'
import type { ServiceDependencies } from '../dependencies.js'
import { isExternalIdTaken } from '../external-id.js'
import { lockOwner, type Reference, referencesOf } from '../sql/references.js'
import { candidatesOf } from './candidates.js'
import { type Compared, comparePairs, equalAmongAlike, type Pair, updatePairs } from './comparison.js'
import { type Choice, chooseRow } from './choice.js'
import type { FormerIds } from './former-ids.js'
import { resolveReferences } from './named-references.js'
import { Changed, isCrowded, judge, refused } from './judgement.js'
import { naturalKeyOf, type Plan, type PlannedCandidate, type PlannedRows, type RowKey } from './planned-rows.js'
import type { Placed } from '../sql/recordset.js'
import type { ImportOutcome, ImportRow } from './row.js'
import type { Since } from './since.js'

export interface ImportMode {
  /** What is done with a row that is there already: it is compared, or brought up to the line, or not looked at. */
  readonly existing: 'compare' | 'update' | 'keep'
  /** Nothing is written: what would be is kept here, for the lines that come later. */
  readonly planned?: PlannedRows | undefined
  /** Of the rows that were written so far, so that later ones find what they refer to. */
  readonly formerIds?: FormerIds | undefined
  /** When the import began: what was written since is not overwritten, since it may be of an earlier line that has the same key. */
  readonly since?: Since | undefined
}

/** A row of the batch under way. */
interface Line {
  readonly nth: number
  readonly row: ImportRow
  readonly columns: ColumnValues
  /** Columns of which the line wants the default: a new row gets it from the table itself. */
  readonly defaulted: readonly string[]
  readonly keys: readonly RowKey[]
}

/** Somebody else would have to change the same rows just so as often. */
const MOST_ATTEMPTS = 20

/**
 * Writes rows of one resource into a catalogue, each once: by the id that it keeps, its external_id, or its natural key. Calls for the
 * same user wait for one another, so that neither repeats nor concurrent calls make a row twice.
 */
export class RowImporter {
  readonly #dependencies: Pick<ServiceDependencies, 'database' | 'cache'>
  readonly #definition: ResourceDefinition
  readonly #references: readonly Reference[]
  readonly #defaults: ColumnDefaults
  readonly #isReferredTo: boolean
  readonly #columnsOf: ReturnType<typeof bodyColumnsOf>

  /** @throws Error when the definition contradicts the others of `dependencies.resources` */
  constructor(
    dependencies: Pick<ServiceDependencies, 'database' | 'cache' | 'resources'>,
    definition: ResourceDefinition,
  ) {
    this.#dependencies = dependencies
    this.#definition = definition
    this.#references = referencesOf(definition, dependencies.resources)
    this.#defaults = new ColumnDefaults(definition.name)
    this.#columnsOf = bodyColumnsOf(definition)
    this.#isReferredTo = dependencies.resources.some(({ references = {} }) =>
      Object.values(references).some(({ to }) => to === definition.name),
    )
  }

  /**
   * Writes some hundred rows in one transaction, whose invalidation commits with it. Rows that the database itself refuses are left out.
   * @returns what became of each row, in their order
   * @throws NotFoundError when the user is gone, DatabaseUnavailableError
   */
  async write(userId: string, rows: readonly ImportRow[], mode: ImportMode): Promise<readonly ImportOutcome[]> {
    const owner = userId.toLowerCase()
    const outcomes = await this.#written(owner, rows, mode)
    if (!this.#isReferredTo) return outcomes
    for (const [nth, outcome] of outcomes.entries()) {
      const formerId = rows[nth]?.formerId
      const id = 'id' in outcome ? outcome.id : undefined
      if (formerId === undefined || id === undefined || id === formerId) continue
      mode.formerIds?.set(this.#definition.name, owner, formerId, id)
    }
    return outcomes
  }

  async #written(owner: string, rows: readonly ImportRow[], mode: ImportMode): Promise<readonly ImportOutcome[]> {
    const { cache, database } = this.#dependencies
    const { name } = this.#definition
    const work = (): Promise<readonly ImportOutcome[]> =>
      database.transaction((transaction) => this.#writeIn(transaction, owner, rows, mode))
    const tags = mode.existing === 'update' ? [ownerTag(owner)] : [listTag(name, owner)]
    for (let attempt = 1; ; attempt += 1) {
      try {
        mode.planned?.begin()
        if (mode.planned !== undefined) return await work()
        return await cache.write([...tags, missingTag(name)], work, {
          isChange: (outcomes) => outcomes.some(({ outcome }) => outcome === 'created' || outcome === 'updated'),
          refusedBy: ownersWhenRefused(owner),
        })
      } catch (error) {
        mode.planned?.takeBack()
        if (attempt < MOST_ATTEMPTS && this.#isOvertaken(error)) continue
        // References are locked, so the one foreign key left to violate is the user's.
        if (isForeignKeyViolation(error)) throw new NotFoundError('user')
        if (!isRefusedValue(error)) throw error
        if (rows.length === 1) return [refused([`the database refuses it: ${error.message}`])]
        const half = Math.ceil(rows.length / 2)
        const first = await this.#written(owner, rows.slice(0, half), mode)
        return [...first, ...(await this.#written(owner, rows.slice(half), mode))]
      }
    }
  }

  async #writeIn(
    transaction: Queryable,
    userId: string,
    rows: readonly ImportRow[],
    mode: ImportMode,
  ): Promise<readonly ImportOutcome[]> {
    await lockOwner(transaction, userId)
    await lockBulkInserts(transaction, this.#definition, userId)
    const given = rows.map(({ body }) => this.#columnsOf(body))
    const isAsked = given.some((columns) => Object.values(columns).includes(DEFAULT))
    const defaults = isAsked ? await this.#defaults.values(transaction, this.#definition.columns) : {}
    const referring = rows.map(({ body, names = {} }, nth) => {
      const columns = Object.entries(given[nth] ?? {}).map(([name, value]) => {
        return [name, value === DEFAULT ? defaults[name] : value] as const
      })
      return { columns: Object.fromEntries(columns), body, names }
    })
    const resolved = await resolveReferences(transaction, userId, this.#references, referring, mode)
    const outcomes = new Map<number, ImportOutcome>()
    let lines: readonly Line[] = rows.flatMap((row, nth) => {
      const { columns, reasons, isEarly } = resolved[nth] ?? { columns: {}, reasons: [], isEarly: false }
      if (reasons.length > 0) outcomes.set(nth, { outcome: 'refused', reasons, isEarly })
      const defaulted = Object.keys(columns).filter((name) => given[nth]?.[name] === DEFAULT)
      return reasons.length > 0 ? [] : [{ nth, row, columns, defaulted, keys: this.#keysOf(row, columns) }]
    })
    // Lines with one key are written one after the other: a later one meets what the earlier one made.
    while (lines.length > 0) {
      const [first, later] = firstOfEachKey(lines)
      for (const [nth, outcome] of await this.#round(transaction, userId, first, mode)) outcomes.set(nth, outcome)
      lines = later
    }
    return rows.map((_, nth) => outcomes.get(nth) ?? refused(['it was lost']))
  }

  async #round(
    transaction: Queryable,
    userId: string,
    lines: readonly Line[],
    mode: ImportMode,
  ): Promise<ReadonlyMap<number, ImportOutcome>> {
    const definition = this.#definition
    const sought = lines.map(({ nth, row: { own }, columns }) => ({ nth, id: own?.id, columns }))
    const candidates = byPlace(await candidatesOf(transaction, definition, userId, sought))
    const plans = new Map<string, Plan>()
    const outcomes = new Map<number, ImportOutcome>()
    const missing: Line[] = []
    const pairs: Pair[] = []
    for (const line of lines) {
      const { nth, columns, row } = line
      const there = candidates.get(nth) ?? []
      const found: readonly PlannedCandidate[] = mode.planned?.candidates(definition, userId, line, there) ?? there
      for (const { id, plan } of found) if (plan !== undefined) plans.set(id, plan)
      const choice: Choice = chooseRow(definition, userId, found, row.own?.id !== undefined)
      if ('reason' in choice) outcomes.set(nth, refused([choice.reason]))
      else if (choice.ids[0] === undefined) missing.push(line)
      else if (mode.existing === 'keep') outcomes.set(nth, { outcome: 'there', id: choice.ids[0] })
      else pairs.push(...choice.ids.map((id) => ({ nth, id, columns })))
    }
    const real = await comparePairs(
      transaction,
      definition,
      pairs.filter(({ id }) => plans.get(id)?.isNew !== true),
      mode.since,
    )
    const compared = byPlace(
      plans.size === 0 ? real : await this.#compareWithPlans(transaction, real, pairs, plans, mode),
    )
    const crowded = lines.filter(({ nth }) => isCrowded(compared.get(nth) ?? []))
    const equal = await equalAmongAlike(transaction, definition, userId, crowded)
    const differing: Pair[] = []
    for (const nth of new Set(pairs.map((pair) => pair.nth))) {
      const id = equal.get(nth)
      const outcome = id === undefined ? judge(compared.get(nth) ?? [], mode) : ({ outcome: 'equal', id } as const)
      outcomes.set(nth, outcome)
      if (outcome.outcome === 'updated') differing.push(...pairs.filter((pair) => pair.nth === nth))
    }
    const { planned } = mode
    if (planned !== undefined) {
      for (const line of lines) {
        const pair = differing.find(({ nth }) => nth === line.nth)
        if (pair !== undefined) planned.change(definition, userId, line, pair.id)
      }
      for (const line of missing)
        outcomes.set(line.nth, { outcome: 'created', id: planned.create(definition, userId, line) })
      return outcomes
    }
    if (differing.length > 0) {
      const there = await updatePairs(transaction, definition, userId, differing)
      if (there.size < differing.length) throw new Changed('A row was deleted while it was compared')
    }
    const made = await insertRows(
      transaction,
      definition,
      this.#defaults,
      userId,
      missing.map(({ columns, defaulted, row: { own } }) => ({
        columns: without(columns, defaulted),
        ...(own && { own }),
      })),
    )
    for (const [place, { nth }] of missing.entries()) {
      const id = made[place]?.id
      outcomes.set(nth, { outcome: 'created', ...(id !== undefined && { id }) })
    }
    return outcomes
  }

  /** Of a dry run: earlier lines may have made the row, or changed it. */
  async #compareWithPlans(
    transaction: Queryable,
    real: readonly Compared[],
    pairs: readonly Pair[],
    plans: ReadonlyMap<string, Plan>,
    { planned, since }: ImportMode,
  ): Promise<readonly Compared[]> {
    const defaults = await this.#defaults.values(transaction, this.#definition.columns)
    const known = new Map(real.map((compared) => [`${compared.nth} ${compared.id}`, compared]))
    return pairs.flatMap(({ nth, id, columns }) => {
      const [there, plan] = [known.get(`${nth} ${id}`), plans.get(id)]
      if (plan === undefined || planned === undefined) return there ?? []
      const settings = { defaults, differing: there?.differences ?? [] }
      const differing = planned.differing(this.#definition, plan, columns, settings)
      return { nth, id, differences: differing.length === 0 ? null : differing, is_new: since !== undefined }
    })
  }

  #keysOf({ own }: ImportRow, columns: ColumnValues): readonly RowKey[] {
    const { external_id: externalId } = columns
    const id: RowKey[] = own?.id === undefined ? [] : [{ by: 'id', key: own.id.toLowerCase() }]
    const named: RowKey[] = typeof externalId === 'string' ? [{ by: 'external_id', key: externalId }] : []
    return id.length > 0 ? [...id, ...named] : [...named, ...naturalKeyOf(this.#definition, columns)]
  }

  /** Somebody else took an external_id or an id, or was in the way: the next look finds it. */
  #isOvertaken(error: unknown): boolean {
    const { name } = this.#definition
    if (error instanceof Changed || isExternalIdTaken(error, name)) return true
    if (violatedConstraint(error) === `${name}_pkey`) return true
    return isDeadlock(error)
  }
}

function byPlace<Item extends Placed>(items: readonly Item[]): ReadonlyMap<number, readonly Item[]> {
  const groups = new Map<number, Item[]>()
  for (const item of items) {
    const group = groups.get(item.nth)
    if (group === undefined) groups.set(item.nth, [item])
    else group.push(item)
  }
  return groups
}

function without(columns: ColumnValues, names: readonly string[]): ColumnValues {
  return Object.fromEntries(Object.entries(columns).filter(([name]) => !names.includes(name)))
}

/** The lines before which no other has one of their keys, and the others; both in their order. */
function firstOfEachKey(lines: readonly Line[]): readonly [first: readonly Line[], later: readonly Line[]] {
  const taken = new Set<string>()
  const first: Line[] = []
  const later: Line[] = []
  for (const line of lines) {
    const keys = line.keys.map(({ by, key }) => `${by} ${key}`)
    if (keys.some((key) => taken.has(key))) later.push(line)
    else first.push(line)
    for (const key of keys) taken.add(key)
  }
  return [first, later]
}

/** A value that no rule of ours refuses but the database does: out of range, a check, a unique index of the resource's own. */
function isRefusedValue(error: unknown): error is Error {
  const state = sqlState(error) ?? ''
  return state.startsWith('22') || state.startsWith('23')
}
