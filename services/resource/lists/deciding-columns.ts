import type { ResourceDefinition } from '../definition.js'

/** What says by which columns lists are narrowed and sorted. */
export type Deciding = Pick<ResourceDefinition, 'filters' | 'search' | 'sorts'>

/** Moves with every change of a row. */
const ANY_CHANGE = ['updated_at']

/** What says which part of a list is asked for, and nothing about which rows it has. */
const OF_THE_PAGE = ['limit', 'cursor', 'total']

/**
 * The columns of which a change moves a row within a list, into it or out of it. Every list has an order by id, which never changes; what else
 * decides about it follows from its query alone.
 */
export class DecidingColumns {
  readonly #byField: ReadonlyMap<string, readonly string[]>
  readonly #byOrder: ReadonlyMap<string, readonly string[]>

  constructor({ filters = {}, search = [], sorts = {} }: Partial<Deciding>) {
    const named = Object.entries(filters).flatMap(([field, column]): [string, string[]][] => [
      [field, [column]],
      [`any_${field}`, [column]],
    ])
    this.#byField = new Map<string, readonly string[]>([
      ...named,
      ['q', search],
      ['external_id', ['external_id']],
      ['updated_since', ANY_CHANGE],
      ...OF_THE_PAGE.map((field): [string, string[]] => [field, []]),
    ])
    const own = Object.entries(sorts).map(([word, column]): [string, string[]] => [word, [column]])
    this.#byOrder = new Map<string, readonly string[]>([['created', []], ['updated', ANY_CHANGE], ...own])
  }

  /** Those of any list. */
  get all(): readonly string[] {
    return [...new Set([...this.#byField.values(), ...this.#byOrder.values()].flat())].sort()
  }

  /** Those of a list, by its canonical query. Of what this release does not know any change may decide. */
  ofQuery(query: string): readonly string[] {
    const columns = query.split('&').flatMap((part) => {
      const [field = '', value = ''] = part.split('=', 2)
      const found = field === 'sort' ? this.#byOrder.get(value.replace(/^-/, '')) : this.#byField.get(field)
      return found ?? ANY_CHANGE
    })
    return [...new Set(columns)]
  }
}
