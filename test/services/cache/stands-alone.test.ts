import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { startRedis } from '../../helpers/servers/redis.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'
import { TYPESCRIPT } from '../../helpers/typescript.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What another team would write: the engine's folder, a pool, a Redis client, and a table of their own. */
const PROGRAM = `
import { Redis } from 'ioredis'
import pg from 'pg'
import { bytesCodec, createJournal, installJournal, openCache } from './cache/index.js'

const [databaseUrl, redisUrl] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: databaseUrl })
pool.on('error', () => {})
await pool.query('create table orders (id integer primary key, shop integer, total integer)')
await pool.query('insert into orders values (1, 7, 100), (2, 7, 200)')

const tables = [{ table: 'orders', row: 'orders/{id}', list: 'shop/{shop}/orders', owner: 'shop/{shop}' }]
await installJournal(pool, tables)
const open = async (options = {}) => {
  const client = new Redis(redisUrl)
  await client.ping()
  const journal = createJournal({ sql: pool, tables })
  return { client, cache: await openCache({ journal, redis: { client }, boundMs: 2_000, keyPrefix: 'shop', codec: undefined, ...options }) }
}
// Where a replica that starts may begin; each records one every half minute. Without one a replica knows the journal from its own start on, and
// what was loaded before is of no use to it if any transaction of the server came in between.
const first = await open()
await createJournal({ sql: pool, tables }).mark(0)
const one = await open()
await pool.query('select pg_current_xact_id()')
const two = await open()
const order = (cache, id) =>
  cache.getOrLoad('orders/' + id, { tags: ['orders/' + id, 'shop/7'], ttl: 60_000 }, async () => {
    return (await pool.query('select * from orders where id = $1', [id])).rows[0]
  })

// What was loaded goes to Redis behind the answer, and its lease before.
const kept = async (pattern) => {
  for (const until = Date.now() + 10_000; (await one.client.keys(pattern)).length === 0 && Date.now() < until; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const said = []
const say = ({ value, outcome, tier }) => said.push([value?.total, outcome, tier])
say(await order(one.cache, 1))
say(await order(one.cache, 1))
await kept('shop:*:e:*')
say(await order(two.cache, 1))
await pool.query('update orders set total = 101 where id = 1')
for (const { cache } of [one, two]) {
  let lookup = await order(cache, 1)
  for (const until = Date.now() + 10_000; lookup.value.total !== 101 && Date.now() < until; lookup = await order(cache, 1)) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  said.push(lookup.value.total)
}
await one.cache.write(['orders/1'], () => pool.query('update orders set total = 102 where id = 1'))
say(await order(one.cache, 1))
await one.cache.invalidate(['shop/7'])
say(await order(one.cache, 1))
try { (await order(one.cache, 1)).value.total = 0 } catch { said.push('frozen') }
const asked = []
const many = await one.cache.getMany(
  [1, 2, 3].map((id) => ({ key: 'orders/' + id, options: { tags: ['orders/' + id, 'shop/7'] } })),
  async (missing) => { asked.push(...missing); return missing.map((at) => (at === 1 ? { total: 200 } : undefined)) },
)
// In one batch or, when Redis' answers come apart, in two.
said.push('missing ' + asked.sort().join())
for (const lookup of many) say(lookup)
const bytes = await open({ codec: bytesCodec, keyPrefix: 'bytes' })
await bytes.cache.getOrLoad('picture', { tags: ['picture'] }, async () => Buffer.from([1, 2, 255]))
await kept('bytes:*:e:*')
await pool.query('select pg_current_xact_id()')
const again = await open({ codec: bytesCodec, keyPrefix: 'bytes' })
const { value, tier } = await again.cache.getOrLoad('picture', { tags: ['picture'] }, async () => undefined)
said.push([tier, ...value])
// As a restart of the server does: the pool tells of its idle connections by an error that somebody has to listen for.
await Promise.all([1, 2].map(() => pool.query('select pg_sleep(0.1)')))
await pool.query(\`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()\`)
await new Promise((resolve) => setTimeout(resolve, 100))
for (const until = Date.now() + 10_000; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 50))) {
  if ((await order(one.cache, 1).catch(() => undefined))?.value.total !== 102) continue
  said.push('goes on')
  break
}
said.push((await one.client.keys('*')).every((key) => key.startsWith('shop:') || key.startsWith('bytes:')))
console.log(JSON.stringify({ said }))
for (const { cache, client } of [first, one, two, bytes, again]) {
  await cache.close()
  client.disconnect()
}
await pool.end()
`

t.test('the folder of the engine is all that another team has to take', async (t) => {
  const [postgres, redis] = await Promise.all([sharedPostgres(t), startRedis()])
  const directory = mkdtempSync(join(tmpdir(), 'rh-alone-'))
  t.teardown(async () => {
    await redis.stop()
    rmSync(directory, { recursive: true })
  })
  cpSync(join(ROOT, 'services/cache'), join(directory, 'cache'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory, 'shop.ts'), PROGRAM)
  const args = [TYPESCRIPT, 'shop.ts', await postgres.createDatabase(), redis.url]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory })
  t.same(JSON.parse(stdout), {
    said: [
      [100, 'miss', null],
      [100, 'hit', 'memory'],
      [100, 'hit', 'redis'],
      101,
      101,
      [102, 'miss', null],
      [102, 'miss', null],
      'frozen',
      'missing 1,2',
      [102, 'hit', 'memory'],
      [200, 'miss', null],
      [null, 'miss', null],
      ['redis', 1, 2, 255],
      'goes on',
      true,
    ],
  })
})
