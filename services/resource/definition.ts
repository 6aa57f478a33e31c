import type { Static, TObject } from '@sinclair/typebox'
import type { Columns, ColumnValues } from './sql/columns.js'
import type { ResourceRow } from './sql/row.js'

/** What a route takes and answers: services/resource/schema.ts makes them. */
export interface ResourceSchemas {
  readonly item: TObject
  readonly creation: TObject
  /** A row whole: what it leaves out gets its default. */
  readonly replacement: TObject
  readonly change: TObject
  /** Of a list: {@link schemasOf} says what. */
  readonly query: TObject
}

/** A column that holds the id, or the ids, of rows of another resource. */
export interface ReferenceDefinition {
  /** The name of that resource. It stands before this one in services/domains.ts. */
  readonly to: string
  /** When the other row is deleted: `refuse` that while a row refers to it, or `forget` it in every row that does. */
  readonly onDelete: 'refuse' | 'forget'
}

/**
 * A resource: a domain whose rows belong to users. All that makes one differ from another; keys and tags, triggers, lock order, the
 * deletion of a user, import and inspection are derived from it.
 */
export interface ResourceDefinition<Schemas extends ResourceSchemas = ResourceSchemas> {
  /** Its table, its word in cache keys, its decorator and the last part of its URL: `designs`. */
  readonly name: string
  /** What an error calls one row: `design`. */
  readonly kind: string
  readonly schemas: Schemas
  readonly columns: Columns
  /** By filter of the list: its column. An array is asked whether it holds the value (texts without letter case), any other column whether it equals it. */
  readonly filters: Readonly<Record<string, string>>
  /** Columns whose words are searched by `q`: texts, and arrays of texts. */
  readonly search?: readonly string[]
  /** What lists can be sorted by beside `created` and `updated`: its word, and its column, of text or whole numbers. */
  readonly sorts?: Readonly<Record<string, string>>
  /** By column. Locked in the order of services/domains.ts. */
  readonly references?: Readonly<Record<string, ReferenceDefinition>>
  /**
   * The columns by which, together, callers tell their rows apart where these have no external_id: an import takes two rows that are equal in
   * all of them for one. By the last of them it knows what a line is. An index has them: docs/adding-a-domain.md.
   */
  readonly naturalKey?: readonly string[]
  /** A row by field, for the examples of the API reference; what is left out is made up. */
  readonly example?: Readonly<Record<string, unknown>>
  /** Fresh time in seconds; CACHE_TTL_SECONDS for what is left out. */
  readonly lifetimes?: { readonly document?: number; readonly list?: number }
  /** The refusal of a delete while the rows `ids` (some of them) refer to this one. */
  inUse?(ids: readonly string[]): Error
  /** A body as values of columns, where {@link columnValues} does not do: every field that it names, and no other. */
  toColumns?(change: Static<Schemas['change']>): ColumnValues
  /** A row as an answer, where its columns are not its fields. */
  toItem?(row: ResourceRow): Readonly<Record<string, unknown>>
}
