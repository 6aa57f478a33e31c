import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { during, withReplicas } from '../../http/replicas.js'
import type { Benchmark } from '../../harness/benchmark.js'
import { spreadOf } from '../../harness/statistics.js'

const TURN_FACTOR = 10

export const benchmark: Benchmark = {
  title: 'what replicas ask while nobody asks them',
  parameters: { replicas: 2 },
  run: ({ rounds, roundMs }) =>
    withReplicas({ shops: 1, designsEach: 1 }, async (replicas) => {
      const redis = new Redis(replicas.redis.url)
      const [commands, statements]: [number[], number[]] = [[], []]
      try {
        await callsSoFar(redis)
        for (let round = 0; round < rounds; round++) {
          const before = await callsSoFar(redis)
          const { counts, seconds } = await during(replicas, () => sleep(roundMs * TURN_FACTOR))
          commands.push(((await callsSoFar(redis)) - before) / seconds / counts.length)
          statements.push(...counts.map((one) => one.statements / seconds))
        }
      } finally {
        redis.disconnect()
      }
      return [
        {
          title: 'idle, a second and replica',
          rows: [
            {
              name: 'commands to Redis',
              value: spreadOf(commands),
              unit: '/s',
              target: { of: 'value', atMost: 0 },
              note: 'INFO commandstats, without those of this benchmark',
            },
            {
              name: 'statements to PostgreSQL',
              value: spreadOf(statements),
              unit: '/s',
              target: { of: 'value', atMost: 3.05 },
              note: 'one tail every 333 ms; a mark every 30 s if the journal grew, a prune every eighth of the longest lifetime',
            },
          ],
        },
      ]
    }),
}

/** Commands that Redis has run for anybody but this benchmark, whose own are INFO alone. */
async function callsSoFar(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
  return calls.filter(([, name]) => name !== 'info').reduce((sum, [, , count]) => sum + Number(count), 0)
}
