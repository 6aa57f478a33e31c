import type { NewRow } from '../sql/bulk-rows.js'

/** The external_ids of what a column refers to, in the places of its ids: of one row, or of each row of an array. */
export type Names = Readonly<Record<string, string | readonly (string | null)[]>>

/** A row to import: its body as the API takes it, in which {@link UNKNOWN_ID} stands where only {@link names} tell the row referred to. */
export interface ImportRow {
  readonly body: Readonly<Record<string, unknown>>
  readonly names?: Names
  /** What the row is to keep of where it comes from. With an `id` that one is its key, and no other. */
  readonly own?: NewRow['own']
  /** The id that it has where it comes from, and does not keep: other rows of the same file may name it so. */
  readonly formerId?: string
}

/**
 * One column in which a line and the row that is there differ, both as JSON of at most {@link SHOWN} characters. Without them where a dry
 * run would have written the column: of that it keeps digests.
 */
export interface Difference {
  readonly column: string
  readonly there?: string
  readonly here?: string
}

/** How much of each value a difference shows. */
export const SHOWN = 60

/** What became of one row. */
export type ImportOutcome =
  | {
      /** `equal`: it is there, and holds all that already. `there`: it is there, and was not to be looked at. */
      readonly outcome: 'created' | 'updated' | 'equal' | 'there'
      /** The row that the line is now. */
      readonly id?: string
    }
  | {
      readonly outcome: 'different'
      readonly id?: string
      readonly differences: readonly Difference[]
      /** It was written since the import began, most likely by an earlier line. */
      readonly isNew: boolean
    }
  | {
      readonly outcome: 'refused'
      readonly reasons: readonly string[]
      /** It names rows that are not there: they may come later. */
      readonly isEarly: boolean
    }

/** No row has it. */
export const UNKNOWN_ID = '00000000-0000-0000-0000-000000000000'
