import { parseArgs } from 'node:util'
import { type Config, ConfigError, loadProcessConfig } from './plugins/config.js'
import { installTriggers, migrate, openDatabase, removeTriggers } from './services/database/index.js'

/**
 * The migrate step of a deployment: brings the schema up to this release, says what it did, and ends.
 * `--with-triggers` lets changes made in SQL raise their tags by themselves, `--without-triggers` takes that back.
 */
const { values: flags } = parseArgs({
  options: { 'with-triggers': { type: 'boolean' }, 'without-triggers': { type: 'boolean' } },
})
const { databaseUrl, databaseUnpooledUrl, dataDir } = settingsOrExit()
const database = await openDatabase({ url: databaseUrl, unpooledUrl: databaseUnpooledUrl, dataDir })
try {
  const ran = await migrate(database)
  console.log(ran.length > 0 ? `Migrated: ${ran.join(', ')}` : 'The schema is up to date')
  if (flags['with-triggers'] === true) {
    await installTriggers(database)
    console.log('Triggers installed: changes made in SQL raise their tags')
  }
  if (flags['without-triggers'] === true) {
    await removeTriggers(database)
    console.log('Triggers removed: changes made in SQL need select * from cache_touch(…)')
  }
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
