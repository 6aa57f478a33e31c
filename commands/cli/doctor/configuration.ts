import type { ExaminedConfig } from '../../../plugins/config.js'
import { fault, type Findings, ok, warning } from './finding.js'

/** The settings and the place, as the service checks them at its start. */
export function lookAtConfiguration(findings: Findings, { config, faults, note, changed }: ExaminedConfig): void {
  const ending = note === undefined ? '' : ` (${note})`
  for (const { variable, message, isTaken = false } of faults) {
    const found = `${variable} ${message}`
    if (isTaken) findings.add('configuration', warning(found, 'if that is the service, ask it: roundhouse health'))
    else findings.add('configuration', fault(`${found}${ending}`, `correct ${variable}`))
  }
  if (faults.some(({ isTaken = false }) => !isTaken)) return
  const { isProduction, databaseUrl, redis, isCachingEnabled, isAdminTokenMade, deploymentId, dataDir } = config
  const database = databaseUrl === undefined ? `embedded database in ${dataDir}` : 'PostgreSQL'
  const cache = !isCachingEnabled ? 'no cache' : redis === undefined ? 'memory tier alone' : 'memory and Redis'
  const kind = isProduction ? 'production' : 'development'
  const others = changed.filter((setting) => !setting.startsWith('NODE_ENV='))
  const set = others.length === 0 ? '' : `; not the defaults: ${others.join(', ')}`
  findings.add('configuration', ok(`${kind}, ${database}, ${cache}${set}${ending}`))
  if (isAdminTokenMade) findings.add('configuration', ok('no ADMIN_TOKENS: one is made and kept in DATA_DIR'))
  if (!isCachingEnabled) {
    findings.add('configuration', warning('ENABLE_CACHING is false: every read asks the database', 'remove it'))
  }
  if (deploymentId !== undefined && databaseUrl === undefined) {
    findings.add(
      'configuration',
      warning('the data is in this container, and lost with the next deployment', 'set DATABASE_URL'),
    )
  }
}
