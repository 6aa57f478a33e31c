import { CanNotStartError } from './errors.js'
import type { ScriptRunner } from './migratable.js'
import { checksumOf, earlierChecksumsOf, type Migration } from './migration-files.js'

/** By name: the checksum of what has run. */
export type Ran = ReadonlyMap<string, string>

const TABLE = 'roundhouse_migrations'
/** Where releases before this one kept the record, in a name that other tools have too. */
const EARLIER_TABLE = 'schema_migrations'
/** The first migration that there ever was: the earlier record is this service's own if it has that. */
const FIRST = 'catalogue'

/** What has run in the current schema, in a table of the service's own, made and filled from the earlier one where it is absent. */
export async function readRecord(runner: ScriptRunner, migrations: readonly Migration[]): Promise<Ran> {
  if (!(await isThere(runner, TABLE))) {
    await runner.script(`create table ${TABLE} (
      name text primary key, number integer not null, checksum text not null,
      run_at timestamptz not null default clock_timestamp())`)
    await adopt(runner, migrations)
  }
  const rows = (await runner.query(`select name, checksum from ${TABLE}`)) as { name: string; checksum: string }[]
  return new Map(rows.map(({ name, checksum }) => [name, checksum]))
}

export async function note(runner: ScriptRunner, migration: Migration): Promise<void> {
  const { name, number } = migration
  await runner.script(
    `insert into ${TABLE} (name, number, checksum) values ('${name}', ${number}, '${checksumOf(migration)}')`,
  )
}

/** @throws CanNotStartError for a migration that ran with another text */
export function refuseEdited(migrations: readonly Migration[], ran: Ran): void {
  const edited = migrations.find(
    (migration) => (ran.get(migration.name) ?? checksumOf(migration)) !== checksumOf(migration),
  )
  if (edited !== undefined) throw editedError(edited)
}

/** The earlier table stays as it is, for a release that is rolled back to; one of another tool is not touched either. */
async function adopt(runner: ScriptRunner, migrations: readonly Migration[]): Promise<void> {
  const columns = (await runner.query(`select attname as name from pg_attribute
    where attrelid = to_regclass('${EARLIER_TABLE}') and attname in ('version', 'name', 'md5')`)) as { name: string }[]
  if (columns.length < 3) return
  const rows = (await runner.query(`select name, md5 from ${EARLIER_TABLE} where name <> ''`)) as {
    name: string
    md5: string | null
  }[]
  const earlier = new Map(rows.map(({ name, md5 }) => [name, md5]))
  if (!earlier.has(FIRST)) return
  for (const migration of migrations) {
    const md5 = earlier.get(migration.name)
    if (md5 === undefined) continue
    if (md5 !== null && !earlierChecksumsOf(migration).includes(md5)) throw editedError(migration)
    await note(runner, migration)
  }
}

async function isThere(runner: ScriptRunner, table: string): Promise<boolean> {
  return (await runner.query(`select where to_regclass('${table}') is not null`)).length > 0
}

function editedError({ number, name }: Migration): CanNotStartError {
  return new CanNotStartError(
    `The migration ${number}.${name} was edited after it ran here: put its file back, and change the schema by a new one`,
  )
}
