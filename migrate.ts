import { type Config, ConfigError, loadProcessConfig } from './plugins/config.js'
import { cachedTables } from './services/cache-map.js'
import { migrate, openDatabase } from './services/database/index.js'

/** The migrate step of a deployment: brings the schema and the triggers up to this release, says what it did, and ends. */
const { databaseUrl, databaseUnpooledUrl, dataDir } = settingsOrExit()
const database = await openDatabase({ url: databaseUrl, unpooledUrl: databaseUnpooledUrl, dataDir })
try {
  const ran = await migrate(database, cachedTables)
  console.log(ran.length > 0 ? `Migrated: ${ran.join(', ')}` : 'The schema is up to date')
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await database.close()
}

function settingsOrExit(): Config {
  try {
    return loadProcessConfig()
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error)
    process.exit(1)
  }
}
