import { makeShops, type Shop } from '../../http/big-catalogue.js'
import { ADMIN_TOKEN } from '../../http/catalogue.js'
import { getRequest, Load, type LoadRequest } from '../../http/load.js'
import { Server } from '../../http/server-process.js'
import { Wrk } from '../../http/wrk.js'
import type { Benchmark, Row, Settings } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { ratioOf, spreadOf } from '../../harness/statistics.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'

const [USERS, FEW_USERS] = [10_000, 50]
const MEMORY_ITEMS = 50_000
const CONNECTIONS = 64
/** wrk counts in whole seconds. */
const TURN_FACTOR = 4
const [ONE, MANY] = ['documents of one user in turn', 'users in turn, a document each']
/** Token, profile and document of each answer come from memory. */
const ENTRIES_EACH = 3

interface Turn {
  readonly rate: number
  /** Microseconds of the server's processor time for one answer. */
  readonly cpu: number
  /** Of all that was read, what came from memory. */
  readonly share: number
}

export const benchmark: Benchmark = {
  title: 'as many users as documents: what it costs to recognise each of them',
  parameters: { users: USERS, 'memory items': MEMORY_ITEMS, connections: CONNECTIONS },
  run: async (settings) => {
    const count = settings.isSmoke ? FEW_USERS : USERS
    const postgres = await startPostgres()
    const databaseUrl = await postgres.createDatabase()
    const env = {
      ADMIN_TOKENS: ADMIN_TOKEN,
      DATABASE_URL: databaseUrl,
      CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS),
      // Nothing is to become stale while it is measured.
      CACHE_TTL_SECONDS: '3600',
      CACHE_VERIFY_SHARE: '0',
      DATABASE_QUEUE_MS: '10000',
    }
    const server = await Server.start({ kind: 'service', env })
    try {
      const scenes = new Map([
        [ONE, requestsOf(await makeShops(databaseUrl, 1, count))],
        [MANY, requestsOf(await makeShops(databaseUrl, count, 1))],
      ])
      const turns = await takeTurns(settings, server, scenes)
      return [
        {
          title: `${count.toLocaleString('en-US')} documents in memory`,
          floor: ONE,
          rows: [ONE, MANY].map((name) => rowOf(turns, name)),
          notes: ['µs: processor time of the server for one answer.'],
        },
      ]
    } finally {
      await server.stop()
      await postgres.stop()
    }
  },
}

function requestsOf(shops: readonly Shop[]): LoadRequest[] {
  return shops.flatMap(({ token, designIds }) =>
    designIds.map((id) => getRequest(`/api/designs/${id}`, { authorization: `Bearer ${token}` })),
  )
}

async function takeTurns(
  settings: Settings,
  server: Server,
  scenes: ReadonlyMap<string, readonly LoadRequest[]>,
): Promise<ReadonlyMap<string, readonly Turn[]>> {
  const [load, wrk] = [new Load(), new Wrk()]
  const [port, connections, ms] = [server.port, CONNECTIONS, settings.roundMs * TURN_FACTOR]
  try {
    // One answer of each, from the database, so that memory has them all. Few at a time: nothing is to be refused.
    for (const requests of scenes.values()) {
      let read = 0
      while (read < requests.length) {
        const rest = requests.slice(read)
        const result = await load.run({ port, requests: rest, connections: 8, ms: 1_000, expected: 200 })
        if (result.unexpected > 0) throw new Error(`${result.unexpected} answers were not 200`)
        read += result.answers
      }
    }
    await wrk.pin(server.pid)
    const turns = new Map<string, Turn[]>([...scenes.keys()].map((name) => [name, []]))
    for (let round = 0; round <= settings.rounds; round++) {
      for (const [name, requests] of scenes) {
        const before = { hits: (await server.stats()).cache.memoryHits, cpu: await server.cpuSeconds() }
        const { answers, seconds } = await wrk.run({ port, requests, connections, ms })
        const cpu = (await server.cpuSeconds()) - before.cpu
        const hits = (await server.stats()).cache.memoryHits - before.hits
        const turn = { rate: answers / seconds, cpu: (cpu * 1e6) / answers, share: hits / answers / ENTRIES_EACH }
        if (round > 0) turns.get(name)?.push(turn)
      }
    }
    return turns
  } finally {
    await load.stop()
  }
}

function rowOf(turns: ReadonlyMap<string, readonly Turn[]>, name: string): Row {
  const [own, floors] = [turns.get(name) ?? [], turns.get(ONE) ?? []]
  const rates = own.map(({ rate }) => rate)
  const { min } = spreadOf(own.map(({ share }) => share))
  return {
    name,
    value: spreadOf(rates),
    unit: '/s',
    ...(name !== ONE && {
      ratio: ratioOf(
        rates,
        floors.map(({ rate }) => rate),
      ),
      target: { of: 'ratio', atLeast: 0.9 } as const,
    }),
    note: `${figure(spreadOf(own.map(({ cpu }) => cpu)).median)} µs; ${figure(100 * min)} % from memory`,
  }
}
