import type { Queryable } from '../database/database.js'
import type { Database } from '../database/database.js'
import type { MaybeRow } from '../resource/sql/bounded-rows.js'
import type { ResourceDefinition } from '../resource/definition.js'
import type { ResourceRow } from '../resource/sql/row.js'
import { rowSerializerOf } from '../resource/sql/row-json.js'
import { ResourceRows } from '../resource/sql/rows.js'
import type { Found } from './statements.js'

/** Rows of one resource, of one page. */
interface Pile {
  readonly small: ReadonlyMap<string, MaybeRow>
  /** Large rows, in the order of the page. */
  readonly large: AsyncGenerator<ResourceRow>
  /** One that was read, and is of a later change. */
  ahead: ResourceRow | undefined
}

/** A row as it is now; `undefined`: there is none. */
export type CurrentRow = { readonly row: ResourceRow; readonly json: () => string } | undefined

/** Reads the rows that a page of changes names, of whatever resource: what is large one after the other, as far as it is asked for. */
export class CurrentRows {
  readonly #resources: ReadonlyMap<
    string,
    { readonly rows: ResourceRows; readonly serialize: (row: ResourceRow) => string }
  >

  constructor(resources: readonly ResourceDefinition[], kind: Database['kind']) {
    this.#resources = new Map(
      resources.map((definition) => [
        definition.name,
        { rows: new ResourceRows(definition, kind), serialize: rowSerializerOf(definition) },
      ]),
    )
  }

  /** The rows of these changes of the user, to be asked for in their order. All are at least as new as this call. */
  async of(db: Queryable, userId: string, changes: readonly Found[]): Promise<(change: Found) => Promise<CurrentRow>> {
    const piles = new Map<string, Pile>()
    for (const [name, { rows }] of this.#resources) {
      const ids = changes.flatMap(([, id, resource, , isDeleted]) => (resource === name && !isDeleted ? id : []))
      if (ids.length === 0) continue
      const found = new Map((await rows.findSmall(db, userId, ids)).map((row) => [row.id, row]))
      const large = ids.filter((id) => found.get(id)?.['#is_whole'] === false)
      piles.set(name, { small: found, large: rows.unpacked(db, userId, large), ahead: undefined })
    }
    return async ([, id, resource]) => {
      const pile = piles.get(resource)
      const small = pile?.small.get(id)
      const row = small?.['#is_whole'] === false && pile !== undefined ? await nextLarge(pile, id) : small
      return row && { row, json: () => this.#resources.get(resource)?.serialize(row) ?? 'null' }
    }
  }
}

/** `undefined` when it has gone meanwhile: then a later row comes. */
async function nextLarge(pile: Pile, id: string): Promise<ResourceRow | undefined> {
  if (pile.ahead === undefined) {
    const next = await pile.large.next()
    pile.ahead = next.done === true ? undefined : next.value
  }
  if (pile.ahead?.id !== id) return undefined
  const row = pile.ahead
  pile.ahead = undefined
  return row
}
