import type { DrillReport, Engine } from '../drill.js'
import { broken } from '../report.js'
import { redisCluster } from './redis-cluster.js'
import { redisSentinels } from './redis-sentinels.js'
import { redisTls } from './redis-tls.js'
import { standby } from './standby.js'

interface Named {
  readonly engine: () => Engine
  /** Acknowledged writes may be lost with the primary: then the promise is that nothing stays different. */
  readonly mayLose?: true
}

/** Each kind of server that the service may stand on beside one PostgreSQL and one Redis. */
export const engines: Readonly<Record<string, Named>> = {
  'redis-cluster': { engine: redisCluster },
  'redis-sentinels': { engine: redisSentinels },
  'redis-tls': { engine: redisTls },
  'standby-synchronous': { engine: () => standby({ isSynchronous: true, isPooled: false }) },
  'standby-asynchronous': { engine: () => standby({ isSynchronous: false, isPooled: false }), mayLose: true },
  pgbouncer: { engine: () => standby({ isSynchronous: true, isPooled: true }) },
}

/** What was broken; of writes that were lost with a server, and of reads that miss them, nothing is said here. */
export function brokenOf(name: string, report: DrillReport): string[] {
  if (engines[name]?.mayLose !== true) return broken(report)
  const { clients } = report
  return broken({ ...report, clients: { ...clients, violationCount: {}, final: { ...clients.final, lostWrites: [] } } })
}
