/**
 * How a list may be narrowed by one query field. `equals` compares the column, `contains` asks whether the
 * array in the column holds the value.
 */
export interface Filter {
  readonly column: string
  readonly type: 'text' | 'boolean' | 'uuid'
  readonly test: 'equals' | 'contains'
}

/**
 * A table of rows that belong to users. Names and types go into SQL text as they stand here and come from
 * declarations in the source only; values are always parameters.
 */
export interface Table {
  readonly name: string
  /** Columns that a caller may write, with their SQL types. */
  readonly columns: Readonly<Record<string, string>>
  readonly filters: Readonly<Record<string, Filter>>
}

/** What every owned row has besides its own columns, as the drivers give it. */
export interface OwnedRow {
  readonly id: string
  readonly user_id: string
  readonly version: number | string | bigint
  readonly created_at: Date | string
  readonly updated_at: Date | string
}

/** Values for columns, by column name; a column that is not named keeps its value or gets its default. */
export type ColumnValues = Readonly<Record<string, unknown>>
