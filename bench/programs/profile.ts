import { join } from 'node:path'
import { Load } from '../http/load.js'
import { openScenes, type Scene } from '../http/scenes.js'
import { selfTimes, timesByOwner } from '../http/self-time.js'
import type { Benchmark, Row, Settings, Table } from '../harness/benchmark.js'
import { single } from '../harness/statistics.js'
import { startPostgres } from '../../test/helpers/postgres.js'
import { startRedis } from '../../test/helpers/redis.js'
import { temporaryDirectory } from '../../test/helpers/servers.js'

const CONNECTIONS = 64
const TURN_FACTOR = 15
const SHOWN = 30
const SCENES = ['a constant of 1 KiB', 'memory hit', 'list, memory hit', 'Redis only']

export const benchmark: Benchmark = {
  title: 'where the time of one answer over HTTP goes: processor time by function, itself only',
  parameters: { connections: CONNECTIONS },
  run: async (settings) => {
    const [postgres, redis] = [await startPostgres(), await startRedis()]
    const load = new Load()
    const scenes = await openScenes({
      databaseUrl: await postgres.createDatabase(),
      redisUrl: redis.url,
      isSmall: settings.isSmoke,
    })
    try {
      const tables: Table[] = []
      for (const scene of scenes.all.filter(({ name }) => SCENES.includes(name))) {
        tables.push(...(await profileOf(scene, load, settings)))
      }
      return tables
    } finally {
      await load.stop()
      await scenes.close()
      await postgres.stop()
      await redis.stop()
    }
  },
}

async function profileOf(
  { name, server, requests, expected }: Scene,
  load: Load,
  settings: Settings,
): Promise<Table[]> {
  const order = { port: server.port, requests, expected, connections: CONNECTIONS, ms: settings.roundMs * TURN_FACTOR }
  await load.run(order)
  const file = join(temporaryDirectory(), 'http.cpuprofile')
  let answers = 0
  await server.profile(file, async () => {
    answers = (await load.run(order)).answers
  })
  const notes = ['The profiler itself takes a part: the sum is more than without it.']
  return [
    { title: `${name}, by package or file`, rows: rowsOf(timesByOwner(file), answers), notes },
    { title: `${name}, by function`, rows: rowsOf(selfTimes(file), answers), notes },
  ]
}

function rowsOf(times: readonly [string, number][], answers: number): Row[] {
  const total = times.reduce((sum, [, time]) => sum + time, 0)
  return [['all', total] as const, ...times.slice(0, SHOWN)].map(([where, time]) => ({
    name: where,
    value: single(time / answers),
    unit: 'µs',
    note: `${((100 * time) / total).toFixed(1)} %`,
  }))
}
