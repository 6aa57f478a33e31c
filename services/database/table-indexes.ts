import { createHash } from 'node:crypto'
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

/** An index of a name that only the service gives. */
interface Found {
  readonly table: string
  readonly name: string
  /** That a release does not want it, which one, and since when. */
  readonly note: string | null
  /** When these very definitions were first found not to want it: others are of another release, beside which one may run that does. */
  readonly unwanted_since: string | null
  /** That was a day ago: replicas of the release that asked by it are gone. */
  readonly is_due: boolean | null
  /** A role that may change it. */
  readonly is_own: boolean
}

/**
 * Makes the indexes that are missing. Those of an earlier definition are noted, and stay for a day: replicas of another release may still ask by
 * them, and would go through the table. Where nothing is to be done it asks for no right to change a schema. While one is made the table is read but
 * not written: some minutes for a million rows.
 */
export async function installIndexes(runner: ScriptRunner, tables: readonly Table[]): Promise<void> {
  const wanted = wantedOf(tables)
  const there = await indexesThere(runner, tables)
  for (const { table, name, text, settings } of wanted) {
    const found = there.find((index) => index.name === name)
    if (found === undefined) await runner.script(`create index ${name} on ${table} ${text}; ${settings}`)
    else if (found.note !== null && found.is_own) await runner.script(`comment on index ${name} is null`)
  }
  for (const { name, unwanted_since: since, is_own: isOwn } of unwantedOf(tables, there)) {
    if (since !== null || !isOwn) continue
    await runner.script(`do $$ begin execute format('comment on index ${name} is %L',
      to_char(now() at time zone 'UTC', '"Not wanted by ${releaseOf(tables)} since "YYYY-MM-DD"T"HH24:MI:SS"Z"')); end $$`)
  }
}

/**
 * Drops the indexes that no definition has wanted for a day. It waits for nobody: where the table is in use a later start does it. The lock lasts to the
 * end of the transaction, so this comes last.
 */
export async function dropOldIndexes(runner: ScriptRunner, tables: readonly Table[]): Promise<void> {
  for (const { table, name, is_due: isDue, is_own: isOwn } of unwantedOf(tables, await indexesThere(runner, tables))) {
    if (isDue !== true || !isOwn) continue
    await runner.script(`do $$ begin
      lock table ${table} in access exclusive mode nowait;
      drop index ${name};
      exception when lock_not_available then null; end $$`)
  }
}

/** One release by its indexes. */
function releaseOf(tables: readonly Table[]): string {
  const names = wantedOf(tables).map(({ name }) => name)
  return createHash('sha256').update(names.join()).digest('hex').slice(0, 8)
}

async function indexesThere(runner: ScriptRunner, tables: readonly Table[]): Promise<readonly Found[]> {
  const rows = await runner.query(
    `select *, unwanted_since::timestamptz < now() - interval '1 day' as is_due from (
      select t.relname as table, c.relname as name, pg_has_role(c.relowner, 'usage') as is_own,
          substring(obj_description(c.oid, 'pg_class') from '^Not wanted .*') as note,
          substring(obj_description(c.oid, 'pg_class')
            from '^Not wanted by ${releaseOf(tables)} since (\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ)$') as unwanted_since
        from pg_index join pg_class c on c.oid = indexrelid join pg_class t on t.oid = indrelid
          join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = current_schema() and c.relname ~ '_list_[a-z0-9_]+_[0-9a-f]{8}$') as found`,
  )
  return rows as Found[]
}

function wantedOf(tables: readonly Table[]): readonly ({ readonly table: string } & TableIndex)[] {
  return tables.flatMap(({ table, indexes = [] }) => indexes.map((index) => ({ table, ...index })))
}

function unwantedOf(tables: readonly Table[], there: readonly Found[]): readonly Found[] {
  const wanted = wantedOf(tables)
  return there.filter(({ table, name }) => {
    const isOurs =
      name.startsWith(`${table}_list_`) && tables.some((one) => one.table === table && one.indexes !== undefined)
    return isOurs && !wanted.some((index) => index.name === name)
  })
}
