import { cachedTables } from '../services/cache-map.js'
import { installJournal, type SqlRunner } from '../services/cache/index.js'
import { installChanges } from '../services/changes/installation.js'
import { resources } from '../services/domains.js'

/**
 * Prints the SQL that a migration runs behind the files of services/database/migrations: the cache's journal, its functions and
 * the triggers of every table that is cached, and those that write down what changes (where CHANGES is not off). For whoever lets nobody but an administrator change a schema:
 * its one argument is the schema, `public` otherwise. It can be run again.
 */
const schema = `"${(process.argv[2] ?? 'public').replaceAll('"', '""')}"`
const statements: string[] = []
const printer: SqlRunner = {
  async query(text) {
    if (text.includes('current_schema()')) return { rows: [{ schema }] }
    statements.push(`${text.trim().replace(/;$/, '')};`)
    return { rows: [] }
  },
}
await installJournal(printer, cachedTables)
await installChanges(printer, resources, { isOn: true })
console.log(['begin;', `set local search_path = ${schema};`, ...statements, 'commit;'].join('\n\n'))
