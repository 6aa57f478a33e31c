import { loadProcessConfig } from './plugins/config.js'
import { migrate, openDatabase } from './services/database/index.js'

/** The migrate step of a deployment: brings the schema up to this release, says what it did, and ends. */
const { databaseUrl, databaseUnpooledUrl, dataDir } = loadProcessConfig()
const database = await openDatabase({ url: databaseUrl, unpooledUrl: databaseUnpooledUrl, dataDir })
try {
  const ran = await migrate(database)
  console.log(ran.length > 0 ? `Migrated: ${ran.join(', ')}` : 'The schema is up to date')
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await database.close()
}
