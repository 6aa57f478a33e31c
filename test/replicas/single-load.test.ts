import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Redis } from 'ioredis'
import t from 'tap'
import { type DesignBody, newDesign } from '../drills/catalogue.js'
import { type HttpAnswer, HttpConnection } from '../helpers/http-connection.js'
import { ReplicaProcess } from '../drills/replica-process.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

const REPLICAS = 4
const READERS = 250
/** plugins/cache.ts: how long one replica may load while the others wait. */
const LEASE_MS = 2_000
/** What a busy machine may take for a thousand answers on top. */
const LOAD_MS = 1_500
const ADMIN_TOKEN = 'an-admin-token-of-the-tests-0123456789'
const BOUND_MS = 10_000
const FIND = 'designs.find'

t.setTimeout(120_000)

t.test('one cold design, 4 replicas with 250 concurrent reads each', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
  const databaseUrl = await postgres.serviceDatabase()
  const env = {
    ADMIN_TOKENS: ADMIN_TOKEN,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    // A thousand reads at once on a busy machine: a command that times out would be loaded around, as it should.
    REDIS_COMMAND_TIMEOUT_MS: '2000',
    CACHE_STALENESS_BOUND_MS: `${BOUND_MS}`,
    // Its loads are nobody's requests.
    CACHE_VERIFY_SHARE: '0',
  }
  const replicas = [await ReplicaProcess.start({ env })]
  // The first migrates; the others start beside each other.
  const others = Array.from({ length: REPLICAS - 1 }, () => ReplicaProcess.start({ env }))
  replicas.push(...(await Promise.all(others)))
  t.teardown(() => Promise.all(replicas.map((replica) => replica.kill())))
  await until(async () => (await reports(replicas)).every(({ state }) => state === 'coherent'), {
    describe: 'every replica is coherent',
  })

  const table = new pg.Client(databaseUrl)
  await table.connect()
  t.teardown(() => table.end())
  const redisClient = new Redis(redis.url)
  t.teardown(() => redisClient.disconnect())

  const readers = replicas.map(({ port }) => Array.from({ length: READERS }, () => new HttpConnection(port)))
  t.teardown(() => readers.flat().forEach((reader) => reader.close()))
  const [first] = readers[0] ?? []
  if (first === undefined) throw new Error('There are readers')
  const user = await post(first, '/api/users', ADMIN_TOKEN, { email: 'one@example.com', shop_name: 'One' })
  const { token } = await post(first, `/api/users/${user.id}/tokens`, ADMIN_TOKEN, { name: 'one' })
  const designs: DesignBody[] = []
  for (const name of ['warm', 'cold', 'cold too'])
    designs.push(await post(first, '/api/designs', token, newDesign(name)))
  // A lease is named by the newest change heard of: who has not heard of the design yet would load it beside the others.
  await sleep(BOUND_MS / 3 + 500)
  const [warm, cold, coldToo] = designs.map(({ id }) => `/api/designs/${id}`)
  if (warm === undefined || cold === undefined || coldToo === undefined) throw new Error('There are three designs')
  const readAll = (all: readonly HttpConnection[], path: string): Promise<HttpAnswer>[] =>
    all.map((reader) => reader.send({ method: 'GET', path, token }))

  // Connections are open and the token is known everywhere, so that what follows waits for the design alone.
  for (const all of readers) await Promise.all(readAll(all, warm))

  await t.test('is loaded once, all the same', async (t) => {
    const before = await finds(replicas)
    const arrived = await requests(replicas)
    await table.query('begin; lock table designs in access exclusive mode')
    const answers = readers.flatMap((all) => readAll(all, cold))
    const begunAt = performance.now()
    await until(async () => (await requests(replicas)) - arrived === REPLICAS * READERS, { describe: 'all are in' })
    const allInMs = performance.now() - begunAt
    await table.query('rollback')
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    t.same([...new Set(statuses)], [200])
    t.equal(statuses.length, REPLICAS * READERS)
    t.equal((await finds(replicas)) - before, 1, `one load (all had come in after ${Math.round(allInMs)} ms)`)
  })

  await t.test(
    'whose loading replica is killed: another takes over when the lease ends, and all others answer',
    async (t) => {
      const before = await findsOfEach(replicas)
      await table.query('begin; lock table designs in access exclusive mode')
      const answers = readers.map((all) => Promise.allSettled(readAll(all, coldToo)))
      const begunAt = performance.now()
      const holder = await until(
        async () => {
          const now = await findsOfEach(replicas)
          return replicas.find((_, n) => now[n] !== before[n])
        },
        { describe: 'a replica loads' },
      )
      t.equal((await redisClient.keys(`*:l:*/${coldToo.split('/').at(-1)}`)).length, 1, 'it has the lease')
      await holder.kill()
      const killedAt = performance.now()
      await table.query('rollback')

      const survivors = answers.filter((_, n) => replicas[n] !== holder)
      const settled = (await Promise.all(survivors)).flat()
      const lastMs = performance.now() - begunAt
      t.same([...new Set(settled.map((one) => (one.status === 'fulfilled' ? one.value.status : one.status)))], [200])
      t.equal(settled.length, (REPLICAS - 1) * READERS)
      t.ok(lastMs < LEASE_MS + LOAD_MS, `the last answer came after ${Math.round(lastMs)} ms`)
      t.ok(performance.now() - killedAt > LEASE_MS / 4, 'they waited for the lease')
      const loads = (await findsOfEach(replicas)).reduce((sum, count, n) => {
        return replicas[n] === holder ? sum : sum + count - (before[n] ?? 0)
      }, 0)
      t.ok(loads >= 1 && loads < REPLICAS, `${loads} loads by those left`)
    },
  )
})

async function reports(replicas: readonly ReplicaProcess[]) {
  const all = await Promise.all(replicas.map((replica) => replica.report()))
  return all.map((report) => report ?? { state: 'silent', requests: 0, statements: {} })
}

async function requests(replicas: readonly ReplicaProcess[]): Promise<number> {
  return (await reports(replicas)).reduce((sum, { requests }) => sum + requests, 0)
}

async function findsOfEach(replicas: readonly ReplicaProcess[]): Promise<number[]> {
  return (await reports(replicas)).map(({ statements }) => (statements as Record<string, number>)[FIND] ?? 0)
}

async function finds(replicas: readonly ReplicaProcess[]): Promise<number> {
  return (await findsOfEach(replicas)).reduce((sum, count) => sum + count, 0)
}

async function post(connection: HttpConnection, path: string, token: string, body: object) {
  const answer = await connection.send({ method: 'POST', path, token, body })
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
  return JSON.parse(answer.text) as DesignBody & { token: string }
}
