import { CODEC_NAMES } from '../contenders/compressed.js'
import { listOf } from '../contenders/documents.js'
import { getRequest, Load } from '../http/load.js'
import { Server } from '../http/server-process.js'
import type { Benchmark, Settings, Table } from '../harness/benchmark.js'
import { sibling } from '../harness/contender-process.js'
import { figure } from '../harness/print.js'
import { interleave, withContenders } from '../harness/rounds.js'
import { rateRows, series } from '../harness/rows.js'
import { ratioOf, spreadOf } from '../harness/statistics.js'
import { startRedis } from '../../test/helpers/redis.js'

const MODULE = sibling(import.meta.url, '../contenders/compressed')
const FLOOR = 'as it is'
const SIZES_KIB = [2, 8, 64]
const LIST_KIB = 50
const CONNECTIONS = 64
const TURN_FACTOR = 3

export const benchmark: Benchmark = {
  title: 'does compressing pay: in Redis, and for whole lists over HTTP',
  parameters: { 'sizes (KiB)': SIZES_KIB.join(' '), 'list (KiB)': LIST_KIB },
  run: async (settings) => {
    const redis = await startRedis()
    try {
      const tables: Table[] = []
      for (const size of SIZES_KIB) tables.push(...(await inRedis(settings, redis.url, size)))
      return [...tables, await overHttp(settings)]
    } finally {
      await redis.stop()
    }
  },
}

function inRedis(settings: Settings, redisUrl: string, kib: number): Promise<Table[]> {
  const parameters = { redisUrl, bytes: kib * 1024, seed: settings.seed }
  return withContenders({ module: MODULE, names: CODEC_NAMES, parameters }, async (contenders) => {
    const found: Table[] = []
    for (const turn of ['hits', 'fills']) {
      const samples = await interleave(contenders, { turn, settings })
      const share = (name: string): number =>
        spreadOf(series(samples, name, 'stored')).median / spreadOf(series(samples, name, 'text')).median
      const rows = rateRows(samples, { floor: FLOOR })
      found.push({
        title: `${kib} KiB, ${turn} in Redis, 64 at a time`,
        floor: FLOOR,
        rows: rows.map((row) => ({ ...row, note: `${row.note}; ${figure(100 * share(row.name))} % of the bytes` })),
      })
    }
    return found
  })
}

/** What a client that accepts gzip costs: the list as it is, compressed at each answer, or compressed once when it was cached. */
async function overHttp(settings: Settings): Promise<Table> {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'private, no-cache' }
  const server = await Server.start({ kind: 'bare', body: listOf(LIST_KIB * 1024, settings.seed), headers })
  const load = new Load()
  const paths = {
    '/constant': FLOOR,
    '/compressed-each-time': 'compressed at each answer',
    '/compressed-once': 'compressed once',
  }
  const rates = new Map<string, number[]>(Object.values(paths).map((name) => [name, []]))
  try {
    for (let round = 0; round <= settings.rounds; round++) {
      for (const [path, name] of Object.entries(paths)) {
        const ms = settings.roundMs * TURN_FACTOR
        const requests = [getRequest(path)]
        const { answers, seconds } = await load.run({
          port: server.port,
          requests,
          connections: CONNECTIONS,
          ms,
          expected: 200,
        })
        if (round > 0) rates.get(name)?.push(answers / seconds)
      }
    }
  } finally {
    await load.stop()
    await server.stop()
  }
  const floors = rates.get(FLOOR) ?? []
  return {
    title: `a list of ${LIST_KIB} KiB over HTTP from memory`,
    floor: FLOOR,
    rows: [...rates].map(([name, values]) => ({
      name,
      value: spreadOf(values),
      unit: '/s',
      ratio: name === FLOOR ? undefined : ratioOf(values, floors),
    })),
    notes: ['On the loopback, where bytes cost little. The load does not unpack.'],
  }
}
