import { cachedTables } from '../services/cache-map.js'
import { installJournal } from '../services/cache/index.js'

/**
 * Prints the SQL that a migration runs behind the files of services/database/migrations: the cache's journal, its functions and
 * the triggers of every table that is cached. For whoever lets nobody but an administrator change a schema:
 * its one argument is the schema, `public` otherwise. It can be run again.
 */
const schema = `"${(process.argv[2] ?? 'public').replaceAll('"', '""')}"`
const statements: string[] = []
await installJournal(
  {
    async query(text) {
      if (text.includes('current_schema()')) return { rows: [{ schema }] }
      statements.push(`${text.trim().replace(/;$/, '')};`)
      return { rows: [] }
    },
  },
  cachedTables,
)
console.log(['begin;', `set local search_path = ${schema};`, ...statements, 'commit;'].join('\n\n'))
