import type { CachedTable } from '../cache/index.js'
import type { ScriptRunner } from './migratable.js'

/** An index that follows from what the service asks of a table. */
export interface TableIndex {
  /** `<table>_list_<word>_<8 hexadecimal digits>`: another text is another name. */
  readonly name: string
  /** What follows `create index <name> on <table>`. */
  readonly text: string
  /** A statement for when it is made; '' for none. */
  readonly settings: string
}

/** A table, with those of its indexes that no migration makes. */
export type Table = CachedTable & { readonly indexes?: readonly TableIndex[] }

/**
 * Makes the indexes that are missing, and drops those of an earlier definition. Where nothing is to be done it asks for no right to change a
 * schema. While one is made the table is read but not written: some minutes for a million rows.
 */
export async function installIndexes(runner: ScriptRunner, tables: readonly Table[]): Promise<void> {
  const wanted = tables.flatMap(({ table, indexes = [] }) => indexes.map((index) => ({ table, ...index })))
  const there = (await runner.query(
    `select tablename as table, indexname as name from pg_indexes
      where schemaname = current_schema() and indexname ~ '_list_[a-z_]+_[0-9a-f]{8}$'`,
  )) as { table: string; name: string }[]
  for (const { table, name, text, settings } of wanted) {
    if (there.some((index) => index.name === name)) continue
    await runner.script(`create index ${name} on ${table} ${text}; ${settings}`)
  }
  for (const { table, name } of there) {
    const isOurs =
      name.startsWith(`${table}_list_`) && tables.some((one) => one.table === table && one.indexes !== undefined)
    if (isOurs && !wanted.some((index) => index.name === name)) await runner.script(`drop index ${name}`)
  }
}
