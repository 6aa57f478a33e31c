import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedTables } from '../../services/cache-map.js'
import { migrated } from './migrated.js'
import { copyDirectory, publishDirectory, temporaryDirectory } from './servers/servers.js'

const SERVICES = fileURLToPath(new URL('../../services/', import.meta.url))
const MIGRATIONS = join(SERVICES, 'database/migrations/')
/** What else puts something into the schema. */
const JOURNAL = [
  'cache/journal/functions.ts',
  'cache/journal/installation.ts',
  'cache/journal/table-triggers.ts',
  'changes/installation.ts',
]

/**
 * A `dataDir` of this test's own, migrated. Making one takes seconds, so one is kept per version of PGlite, of
 * the migrations and of the journal, and copied.
 */
export async function preparedPgliteDir(): Promise<string> {
  const prepared = join(tmpdir(), `roundhouse-test-${userInfo().uid}-pglite-${fingerprint()}`)
  if (!existsSync(prepared)) await prepare(prepared)
  const dataDir = join(temporaryDirectory(), 'data')
  copyDirectory(prepared, dataDir)
  return dataDir
}

async function prepare(target: string): Promise<void> {
  const building = mkdtempSync(join(tmpdir(), 'rh-pglite-'))
  const dataDir = join(building, 'data')
  await migrated({ dataDir })
  publishDirectory(dataDir, target)
  rmSync(building, { recursive: true })
}

function fingerprint(): string {
  const hash = createHash('sha256')
  const main = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  hash.update(readFileSync(join(dirname(main), '../package.json')))
  for (const file of readdirSync(MIGRATIONS).sort()) hash.update(readFileSync(join(MIGRATIONS, file)))
  for (const file of JOURNAL) hash.update(readFileSync(join(SERVICES, file)))
  hash.update(JSON.stringify(cachedTables))
  return hash.digest('hex').slice(0, 16)
}
