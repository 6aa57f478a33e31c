import { readFile } from 'node:fs/promises'
import type { MigratableDatabase } from './migratable.js'

/** The build copies the folder, so that the same path holds in `dist/`. */
const SCRIPTS = new URL('./triggers/', import.meta.url)

/**
 * Makes the database itself raise the tags of rows that others change in SQL; idempotent. Costs such statements one
 * raise each; the service's own connections pass by.
 */
export async function installTriggers(database: MigratableDatabase): Promise<void> {
  await run(database, 'install.sql')
}

/** Takes them out again; idempotent. */
export async function removeTriggers(database: MigratableDatabase): Promise<void> {
  await run(database, 'remove.sql')
}

async function run(database: MigratableDatabase, name: string): Promise<void> {
  const text = await readFile(new URL(name, SCRIPTS), 'utf8')
  await database.exclusively((runner) => runner.script(text))
}
