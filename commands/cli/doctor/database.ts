import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../../plugins/config.js'
import { databaseFolder } from '../../../services/database/pglite/data-dir.js'
import { CanNotStartError, openDatabase } from '../../../services/database/index.js'
import { type Findings, ok, warning } from './finding.js'
import { lookAtSchema } from './schema.js'
import { lookAtServer } from './server.js'
import { lookAtSessions } from './sessions.js'

/** Two at most: what is full already must have room for them. */
const POOL_SIZE = 2

export async function lookAtDatabase(findings: Findings, config: Config): Promise<void> {
  const { databaseUrl: url, databaseUnpooledUrl: unpooledUrl, databasePoolSize, dataDir } = config
  if (url === undefined && !isEmbeddedThere(findings, dataDir)) return
  try {
    const database = await openDatabase({ url, unpooledUrl, dataDir, poolSize: POOL_SIZE })
    try {
      if (!(await lookAtServer(findings, database, databasePoolSize))) return
      if (database.kind === 'postgres') await lookAtSessions(findings, database, config)
      await lookAtSchema(findings, database, config)
    } finally {
      await database.close()
    }
  } catch (error) {
    if (!(error instanceof CanNotStartError)) throw error
    findings.add('database', warning(error.message, 'if that is the service, ask it: roundhouse health'))
  }
}

/** Nothing is made here: a doctor only looks. Whether it can be was looked at with the settings. */
function isEmbeddedThere(findings: Findings, dataDir: string): boolean {
  const isThere = existsSync(join(databaseFolder(dataDir), 'PG_VERSION'))
  if (!existsSync(dataDir)) findings.add('database', ok(`${dataDir} is made at the first start`))
  else if (!isThere) findings.add('database', ok(`the one in ${dataDir} is made at the first start`))
  return isThere
}
