import { type ExaminedConfig, placeFaults } from '../../../plugins/config.js'
import { leavingNoFolder } from '../../../services/database/pglite/data-dir.js'
import { lookAtConfiguration } from './configuration.js'
import { lookAtDatabase } from './database.js'
import { type Finding, Findings } from './finding.js'
import { lookAtRedis } from './redis.js'

/** Everything that can be looked at, whatever else is broken. */
export async function examine(examined: ExaminedConfig, tell: (finding: Finding) => void): Promise<Findings> {
  const findings = new Findings(tell)
  const { config } = examined
  const ofPlace = await leavingNoFolder(config.dataDir, () => placeFaults(examined, { listens: true }))
  const faults = [...examined.faults, ...ofPlace]
  lookAtConfiguration(findings, { ...examined, faults })
  const isFaulty = (...names: readonly string[]): boolean => faults.some(({ variable }) => names.includes(variable))
  // What stands there instead is a default, and not what was meant.
  if (!isFaulty('DATABASE_URL', 'DATABASE_UNPOOLED_URL', 'DATA_DIR')) await lookAtDatabase(findings, config)
  const isRedisFaulty = isFaulty('REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER', 'REDIS_SENTINEL_MASTER')
  if (!isRedisFaulty) await lookAtRedis(findings, config)
  return findings
}
