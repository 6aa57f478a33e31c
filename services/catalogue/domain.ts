import type { EntryAddress } from '../cache-map.js'
import type { Dependent } from './dependents.js'
import type { Reference } from './references.js'
import type { ColumnValues, OwnedRow, Table } from './table.js'

/** Everything that makes one owned domain differ from another. */
export interface Domain<Change extends object, Row extends OwnedRow, Item> {
  /** What an error calls one row: `design`. */
  readonly kind: string
  readonly table: Table
  readonly entry: (userId: string, id: string) => EntryAddress
  readonly listEntry: (userId: string, canonicalQuery: string) => EntryAddress
  readonly tag: (userId: string, id: string) => string
  readonly listTag: (userId: string) => string
  /** The text column that tells rows of one user apart in a file; an import makes each value once. */
  readonly naturalKey?: string
  /** Rows that this one refers to, in lock order. */
  readonly references: readonly Reference[]
  /** Rows that refer to this one, in lock order. */
  readonly dependents: readonly Dependent[]
  /** The refusal of a delete while the rows `ids` (some of them) refer to this one. */
  readonly inUse?: (ids: readonly string[]) => Error
  /** The columns that a body changes: every field it names, and no other. */
  readonly toColumns: (change: Change) => ColumnValues
  readonly toItem: (row: Row) => Item
}
