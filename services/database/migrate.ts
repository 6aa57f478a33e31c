import { installJournal, type SqlRunner } from '../cache/index.js'
import { CanNotStartError, sqlState } from './errors.js'
import type { MigratableDatabase, ScriptRunner } from './migratable.js'
import { type Migration, readMigrations } from './migration-files.js'
import { note, readRecord, refuseEdited } from './migration-record.js'
import { dropOldIndexes, installIndexes, type Table } from './table-indexes.js'

export interface MigrateOptions {
  /** Told every few seconds whom a migration waits for. */
  readonly onWait?: ((holder: string) => void) | undefined
  /** Puts further triggers in place, in the same transaction. */
  readonly install?: ((sql: SqlRunner) => Promise<void>) | undefined
}

const ALREADY_THERE = '42P07'
const NO_RIGHT = '42501'

/**
 * Brings the schema up to this release, all or nothing, with the cache's journal, and the triggers and indexes of `tables`; returns the
 * names of the migrations it ran. Where nothing is to be done it asks for no right to change a schema.
 * Any number of processes may call it at the same time; a schema newer than this release is left alone.
 * @throws CanNotStartError when a migration that has run was edited since, when another process has been migrating for too long, or when
 *   the schema is somebody else's or not to be changed
 * @throws Error when a migration fails
 * @throws DatabaseUnavailableError
 */
export async function migrate(
  database: MigratableDatabase,
  tables: readonly Table[],
  { onWait = () => {}, install }: MigrateOptions = {},
): Promise<string[]> {
  try {
    return await database.exclusively(async (runner) => {
      const made = await runMissing(runner, readMigrations())
      const sql: SqlRunner = { query: async (text) => ({ rows: await runner.query(text) }) }
      await installIndexes(runner, tables)
      await installJournal(sql, tables)
      await install?.(sql)
      await dropOldIndexes(runner, tables)
      return made
    }, onWait)
  } catch (error) {
    throw inWords(error)
  }
}

async function runMissing(runner: ScriptRunner, migrations: readonly Migration[]): Promise<string[]> {
  const ran = await readRecord(runner, migrations)
  refuseEdited(migrations, ran)
  const missing = migrations.filter(({ name }) => !ran.has(name))
  for (const migration of missing) {
    await runner.script(migration.text)
    await note(runner, migration)
  }
  return missing.map(({ number, name }) => `${number}.${name}`)
}

/** What somebody has to do something about, in one line that says what. */
function inWords(error: unknown): unknown {
  const reason = error instanceof Error ? error.message : String(error)
  if (sqlState(error) === ALREADY_THERE)
    return new CanNotStartError(
      `The schema holds another program's tables, or the table roundhouse_migrations was lost (${reason}): give the service a schema ` +
        'of its own, by: create schema shop; alter role <its role> set search_path = shop; or a dump older than the schema was put back ' +
        'in place: see docs/runbook.md',
      { cause: error },
    )
  if (sqlState(error) === NO_RIGHT)
    return new CanNotStartError(
      `The schema is not up to date, and this role may not change it (${reason}): run the migrate step as the role that owns it`,
      { cause: error },
    )
  return error
}
