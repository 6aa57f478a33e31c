import { endWith, guardStart } from './starting.js'

/** As a shell says of a process that SIGTERM ended: the schema is as it was, and the deployment must not go on. */
const TERMINATED = 143

guardStart(TERMINATED)
await run().catch(endWith)

/** The migrate step of a deployment: brings the schema and the triggers up to this release, says what it did, and ends. */
async function run(): Promise<void> {
  const { loadProcessConfig } = await import('./plugins/config.js')
  const { databaseUrl, databaseUnpooledUrl, dataDir, isChangesOn: isOn } = await loadProcessConfig({ listens: false })
  const { cachedTables } = await import('./services/cache-map.js')
  const { installChanges } = await import('./services/changes/installation.js')
  const { resources } = await import('./services/domains.js')
  const { openDatabase, startDatabase } = await import('./services/database/index.js')
  const database = await openDatabase({ url: databaseUrl, unpooledUrl: databaseUnpooledUrl, dataDir })
  try {
    const ran = await startDatabase(database, cachedTables, {
      onWait: console.error,
      install: (sql) => installChanges(sql, resources, { isOn }),
    })
    console.log(ran.length > 0 ? `Migrated: ${ran.join(', ')}` : 'The schema is up to date')
  } finally {
    await database.close()
  }
}
