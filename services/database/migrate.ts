import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import { type CachedTable, installJournal } from '../cache/index.js'
import type { MigratableDatabase, ScriptRunner } from './migratable.js'

/** The build copies the folder, so that the same path holds in `dist/`. */
const MIGRATIONS = fileURLToPath(new URL('./migrations/', import.meta.url))

/**
 * Brings the schema up to this release, all or nothing, with the cache's journal and the triggers of `tables`; returns the
 * names of the migrations it ran.
 * Any number of processes may call it at the same time; a schema newer than this release is left alone.
 * @throws Error when a migration that has run was edited since, or when one fails
 * @throws DatabaseUnavailableError
 */
export async function migrate(database: MigratableDatabase, tables: readonly CachedTable[]): Promise<string[]> {
  return database.exclusively(async (runner) => {
    const migrations = await postgratorOn(runner).migrate()
    await installJournal({ query: async (text) => ({ rows: await runner.query(text) }) }, tables)
    return migrations.map(({ version, name }) => `${version}.${name}`)
  })
}

function postgratorOn(runner: ScriptRunner): Postgrator {
  return new ExpectingMigrations({
    driver: 'pg',
    schemaTable: 'schema_migrations',
    // A pattern, so whatever the path holds that means something in a pattern is matched as any one character.
    migrationPattern: `${MIGRATIONS.replace(/[^\w/.:-]/g, '?')}*.sql`,
    execQuery: async (text) => ({ rows: await runner.query(text) }),
    execSqlScript: (text) => runner.script(text),
  })
}

class ExpectingMigrations extends Postgrator {
  /** Without files Postgrator takes the schema to be newer than all of them, and succeeds. */
  override async getMigrations(): Promise<Postgrator.Migration[]> {
    const migrations = await super.getMigrations()
    if (migrations.length === 0)
      throw new Error(`No migrations in ${MIGRATIONS}: was the folder left out of the build?`)
    return migrations
  }
}
