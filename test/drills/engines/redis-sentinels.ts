import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { type RedisSentinels, SENTINEL_MASTER, startRedisSentinels } from '../../helpers/servers/redis-sentinels.js'
import type { Engine } from '../drill.js'
import type { Fault } from '../faults.js'
import type { Servers } from '../stage.js'
import { roundsOf } from './rounds.js'

const CHANGE_MS = 30_000

/** A master, its replica and three sentinels: the master is killed, and comes back as the replica of the other one. */
export function redisSentinels(): Engine {
  let sentinels: RedisSentinels | undefined
  const start = async (): Promise<Servers> => {
    const [postgres, started] = await Promise.all([startPostgres(), startRedisSentinels()])
    sentinels = started
    return {
      postgres,
      redis: started.nodes[0],
      databaseUrl: await postgres.createDatabase(),
      env: () => ({ REDIS_SENTINELS: started.addresses, REDIS_SENTINEL_MASTER: SENTINEL_MASTER }),
      stop: async () => void (await Promise.all([started.stop(), postgres.stop()])),
    }
  }
  const faults: Record<string, Fault> = {
    'the master killed (-9), the sentinels promote its replica': async () => {
      if (sentinels === undefined) throw new Error('There are no sentinels')
      const { nodes, masterPort } = sentinels
      const before = await masterPort()
      const master = nodes.find(({ port }) => port === before)
      await master?.kill()
      const isAnother = async (): Promise<boolean> => (await masterPort()) !== before
      await until(isAnother, { timeoutMs: CHANGE_MS, describe: 'the sentinels lead to another master' })
      await sleep(1_000)
      await master?.restart()
      return `${before} → ${await masterPort()}`
    },
  }
  return { start, faults, rounds: roundsOf(faults, 3) }
}
