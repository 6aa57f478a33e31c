import { cachedTables } from '../../services/cache-map.js'
import { installChanges } from '../../services/changes/installation.js'
import { migrate, openDatabase } from '../../services/database/index.js'
import { resources } from '../../services/domains.js'

/** Brings a database up to date as a start of the service does. */
export async function migrated(where: Parameters<typeof openDatabase>[0]): Promise<void> {
  const database = await openDatabase(where)
  await migrate(database, cachedTables, { install: (sql) => installChanges(sql, resources, { isOn: true }) })
  await database.close()
}
