import type { Static } from '@sinclair/typebox'
import { Batcher, type Lookup, systemClock } from '../cache/index.js'
import type { Document } from '../documents/document.js'
import { rowDocument, type Serialize } from '../documents/row-document.js'
import { type EntryAddress, ResourceAddresses } from './addresses.js'
import { bodyColumnsOf } from './body-columns.js'
import type { ColumnValues } from './sql/columns.js'
import type { ResourceDefinition, ResourceSchemas } from './definition.js'
import type { ServiceDependencies } from './dependencies.js'
import { type Dependent, dependentsOf } from './sql/dependents.js'
import { type Lists, listsOf } from './lists/list-query.js'
import { type Reference, referencesOf, tagsOfReferences } from './sql/references.js'
import type { ResourceRow } from './sql/row.js'
import { rowSerializerOf } from './sql/row-json.js'
import { ResourceRows, type WantedRow } from './sql/rows.js'

/** Rows that one statement reads. */
const MOST_FOUND = 64

/** A definition, and what is made from it once: shared by the reads and the writes of a resource. */
export class Resource<Schemas extends ResourceSchemas = ResourceSchemas> {
  readonly dependencies: ServiceDependencies
  readonly definition: ResourceDefinition<Schemas>
  readonly addresses: ResourceAddresses
  readonly lists: Lists
  readonly references: readonly Reference[]
  readonly dependents: readonly Dependent[]
  readonly serialize: Serialize<ResourceRow>
  readonly rows: ResourceRows

  readonly #columnsOf: ReturnType<typeof bodyColumnsOf>
  /** Reads that come in one turn of the event loop share a statement, whoever asks. */
  readonly #finds: Batcher<WantedRow, ResourceRow | undefined>

  /** @throws Error when the definition contradicts itself or the others of `dependencies.resources` */
  constructor(dependencies: ServiceDependencies, definition: ResourceDefinition<Schemas>) {
    const { database, resources } = dependencies
    this.dependencies = dependencies
    this.definition = definition
    this.addresses = new ResourceAddresses(definition)
    this.lists = listsOf(definition)
    this.references = referencesOf(definition, resources)
    this.dependents = dependentsOf(definition, resources)
    this.serialize = rowSerializerOf(definition)
    this.rows = new ResourceRows(definition, database.kind)
    this.#columnsOf = bodyColumnsOf(definition)
    const { endOfTurn } = systemClock
    this.#finds = new Batcher({ send: (wanted) => this.rows.findWanted(database, wanted), endOfTurn, most: MOST_FOUND })
  }

  find(userId: string, id: string): Promise<ResourceRow | undefined> {
    return this.#finds.ask({ userId, id: id.toLowerCase() })
  }

  /** Lower case: `A…` and `a…` are one row, and must be one entry under one tag. */
  entry(userId: string, id: string): EntryAddress {
    return this.addresses.document(userId, id.toLowerCase())
  }

  /**
   * The documents of `ids`, which are in lower case, in that order, each from its own entry; those that no tier has by one statement, and further ones
   * for those that are large.
   * @throws TooManyLargeError when more than `mostLarge` are
   */
  documents(userId: string, ids: readonly string[], mostLarge: number = ids.length): Promise<Lookup<Document>[]> {
    const { cache, database, loadQueue } = this.dependencies
    const reads = ids.map((id) => this.entry(userId, id)).map((options) => ({ key: options.key, options }))
    return cache.getMany<Document>(reads, async (missing) => {
      const asked = missing.map((index) => ids[index] ?? '')
      const find = (since: number): Promise<ResourceRow[]> =>
        this.rows.findMany(database.ofUser(userId, since), userId, asked, mostLarge)
      const rows = await loadQueue.run(userId, find)
      const documents = new Map(rows.map((row) => [row.id, this.document(row)]))
      return asked.map((id) => documents.get(id))
    })
  }

  /** A body as values of columns. Null for what can't be null asks for the default. */
  columns(body: Static<Schemas['change']>): ColumnValues {
    return this.#columnsOf(body)
  }

  document(row: ResourceRow): Document {
    const refersTo = tagsOfReferences(row.user_id, this.references, row)
    return rowDocument({ ...row, version: Number(row.version) }, this.serialize, refersTo)
  }
}
