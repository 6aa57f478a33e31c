import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import t, { type Test } from 'tap'
import { ADMIN_TOKEN, startService } from '../../helpers/app.js'
import { callCli, type CliOutcome, runCli } from '../../helpers/cli.js'
import { run } from '../../helpers/servers/databases.js'
import { startPgbouncer } from '../../helpers/servers/pgbouncer.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import { freePort, temporaryDirectory } from '../../helpers/servers/servers.js'

t.setTimeout(300_000)

const postgres = await startPostgres()
t.teardown(() => postgres.stop())

interface Finding {
  readonly check: string
  readonly result: string
  readonly found: string
  readonly change?: string
}

/** The findings of `doctor` but those that are fine. `run` is {@link runCli} for a process of its own. */
async function doctor(
  env: Readonly<Record<string, string>>,
  run: typeof callCli | typeof runCli = callCli,
): Promise<CliOutcome & { readonly bad: readonly Finding[] }> {
  const outcome = await run(['doctor'], { env: { ADMIN_TOKENS: ADMIN_TOKEN, PORT: '0', ...env } })
  const findings: readonly Finding[] = outcome.json?.findings ?? []
  const bad = findings.filter(({ result }) => result !== 'ok')
  return { ...outcome, bad }
}

/** A database with the tables, in which nobody serves any more. */
async function migrated(t: Test): Promise<string> {
  const url = await postgres.createDatabase()
  const { app } = await startService(t, { env: { DATABASE_URL: url } })
  await app.close()
  return url
}

t.test('a service in order: everything is looked at, and the exit code is 0', async (t) => {
  const redis = await startRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] })
  t.teardown(() => redis.stop())
  const url = await postgres.createDatabase()
  await startService(t, { env: { DATABASE_URL: url, REDIS_URL: redis.url } })
  const { code, json, bad, errors } = await doctor(
    { DATABASE_URL: url, REDIS_URL: redis.url, NODE_ENV: 'production' },
    runCli,
  )
  // fsync is off here, for speed.
  t.same(
    bad.map(({ found }) => found.split(':')[0]),
    ['fsync is off, full_page_writes off'],
  )
  t.equal(code, 0, errors)
  const checks = new Set(json.findings.map(({ check }: Finding) => check))
  const all = [
    'configuration',
    'database',
    'clocks',
    'pooler',
    'LISTEN',
    'schema',
    'rights',
    'triggers',
    'journal',
    'redis',
  ]
  t.same([...checks], all)
  const words = json.findings.map(({ found }: Finding) => found).join('\n')
  for (const part of [
    /a replica takes up to 15$/m,
    /PostgreSQL \d+.*UTF8/,
    /Redis \d/,
    /news arrive/,
    /rows, .* MiB/,
    /all \d+ are there and on/,
  ])
    t.match(words, part)
})

t.test('the database is down, its name is wrong, or its password', async (t) => {
  const port = await freePort()
  const down = await doctor({ DATABASE_URL: `postgresql://postgres@127.0.0.1:${port}/shop` })
  t.match(down, {
    code: 1,
    bad: [{ check: 'database', result: 'fault', found: /ECONNREFUSED/, change: /DATABASE_URL/ }],
  })
  const absent = await doctor({ DATABASE_URL: `postgresql://postgres@127.0.0.1:${postgres.port}/absent` })
  t.match(absent, { code: 1, bad: [{ check: 'database', found: /is not there: create it/ }] })

  const guarded = await startPostgres()
  t.teardown(() => guarded.stop())
  await run(guarded.url, `create role shop login password 'right'`)
  writeFileSync(join(guarded.data, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n')
  await guarded.restart()
  const url = `postgresql://shop:wrong-secret@127.0.0.1:${guarded.port}/postgres`
  const refused = await doctor({ DATABASE_URL: url })
  t.match(refused, { code: 1, bad: [{ check: 'database', found: /correct user and password/ }] })
  t.notMatch(refused.output + refused.errors, 'wrong-secret')
})

t.test('triggers that are off or gone, and a schema that is not made yet', async (t) => {
  const url = await migrated(t)
  await run(url, 'alter table designs disable trigger all')
  const off = await doctor({ DATABASE_URL: url })
  t.match(
    off.bad.filter(({ check }) => check === 'triggers'),
    [{ result: 'fault', found: /off.*on designs/, change: /migrate/ }],
  )
  t.equal(off.code, 1)
  await run(url, `drop trigger changes_note on templates`)
  t.match(
    (await doctor({ DATABASE_URL: url })).bad.find(({ check }) => check === 'triggers'),
    {
      found: /missing: changes_note on templates/,
    },
  )
  const feedOff = await doctor({ DATABASE_URL: await migrated(t), CHANGES: 'off' })
  t.equal(feedOff.code, 0, 'nobody misses triggers of a feed that is off')
  const empty = await doctor({ DATABASE_URL: await postgres.createDatabase() })
  t.match(empty, {
    code: 0,
    bad: [{}, { check: 'schema', result: 'warning', found: /not made yet/, change: /migrate/ }],
  })
})

t.test('what the migrate step can not mend: child tables, and a default of read-only', async (t) => {
  const url = await migrated(t)
  await run(url, 'create table designs_of_old () inherits (designs)')
  const { code, bad } = await doctor({ DATABASE_URL: url })
  t.equal(code, 1)
  t.match(
    bad.filter(({ result }) => result === 'fault'),
    [
      {
        check: 'journal',
        found: /has child tables/,
        change: /^drop or detach them: alter table designs_of_old no inherit designs/,
      },
    ],
  )
  await run(url, 'alter table designs_of_old no inherit designs')
  const name = new URL(url).pathname.slice(1)
  await run(url, `alter database ${name} set default_transaction_read_only = on`)
  const toDo = async (): Promise<string> =>
    (await doctor({ DATABASE_URL: url })).bad.find(({ found }) => found.includes('read-only'))?.change ?? ''
  t.match(
    await toDo(),
    `set default_transaction_read_only = off; alter database ${name} reset default_transaction_read_only`,
  )
  const client = new pg.Client(url)
  await client.connect()
  await client.query('set default_transaction_read_only = off')
  await client.query(`alter role postgres in database ${name} set default_transaction_read_only = on`)
  await client.end()
  const change = await toDo()
  t.match(change, /; alter database .* reset .*; alter role postgres in database .* reset/)
  const again = new pg.Client(url)
  await again.connect()
  for (const step of change.replace(/^.*?: /, '').split('; ')) await again.query(step)
  await again.end()
  t.equal(await toDo(), '', 'doing so mends it')
})

t.test('settings that are not the defaults are told, and none that may be a secret', async (t) => {
  const DATA_DIR = join(temporaryDirectory(), 'data')
  const { json, output } = await doctor({ DATA_DIR, CACHE_TTL_SECONDS: '5', TOKEN_SECRET: 'do-not-tell-'.repeat(4) })
  t.match(json.findings[0].found, /; not the defaults: PORT=0, DATA_DIR=.*, CACHE_TTL_SECONDS=5$/)
  t.notMatch(output, 'do-not-tell')
})

t.test('a role without rights', async (t) => {
  const url = await migrated(t)
  await run(url, 'create role poor login; create role clerk login')
  const asRole = (role: string): string => url.replace('postgres@', `${role}@`)
  const poor = await doctor({ DATABASE_URL: asRole('poor') })
  t.match(poor, { code: 1 })
  t.match(poor.bad.find(({ result }) => result === 'fault')?.found, /permission denied|lacks/)
  const grants =
    'grant select, insert, update, delete on all tables in schema public to clerk; revoke delete on designs from clerk'
  await run(url, grants)
  const clerk = await doctor({ DATABASE_URL: asRole('clerk') })
  t.match(
    clerk.bad.filter(({ result }) => result === 'fault'),
    [{ check: 'rights', found: /clerk lacks delete on designs$/, change: /^as postgres: grant .* to clerk$/ }],
  )
  await run(url, 'grant delete on designs to clerk; grant execute on all functions in schema public to clerk')
  t.equal((await doctor({ DATABASE_URL: asRole('clerk') })).code, 0, 'as the runbook has it')
  const empty = (await postgres.createDatabase()).replace('postgres@', 'poor@')
  t.match(
    (await doctor({ DATABASE_URL: empty })).bad.filter(({ result }) => result === 'fault'),
    [{ check: 'rights', found: /poor may not make tables in the schema public/, change: /grant usage, create/ }],
  )
})

t.test('a database that is not in UTF-8', async (t) => {
  await run(postgres.url, `create database latin encoding 'LATIN1' locale 'C' template template0`)
  const url = postgres.url.replace(/postgres$/, 'latin')
  const { code, bad } = await doctor({ DATABASE_URL: url })
  t.equal(code, 1)
  t.match(
    bad.filter(({ result }) => result === 'fault'),
    [{ found: /in LATIN1, and UTF8 is needed.*create database/ }],
  )
})

t.test('behind a pooler by transaction, with and without a way past it', async (t) => {
  const pooler = await startPgbouncer(postgres.port)
  t.teardown(() => pooler.stop())
  const url = await migrated(t)
  const pooled = pooler.urlOf(url)
  const { code, bad } = await doctor({ DATABASE_URL: pooled })
  t.equal(code, 0, 'the service works, if slower')
  t.match(
    bad.filter(({ check }) => check === 'pooler' || check === 'LISTEN'),
    [
      { check: 'pooler', result: 'warning', change: /DATABASE_UNPOOLED_URL/ },
      { check: 'LISTEN', result: 'warning', change: /DATABASE_UNPOOLED_URL/ },
    ],
  )
  const past = await doctor({ DATABASE_URL: pooled, DATABASE_UNPOOLED_URL: url })
  t.same(
    past.bad.map(({ check }) => check),
    ['database'],
    'nothing but fsync',
  )
  t.match(
    past.json.findings.find(({ check }: Finding) => check === 'pooler'),
    { found: /leads past it/ },
  )
})

t.test('Redis: away, a wrong password, no policy, no rights', async (t) => {
  const DATA_DIR = join(temporaryDirectory(), 'data')
  const port = await freePort()
  const away = await doctor({ DATA_DIR, REDIS_URL: `redis://127.0.0.1:${port}` })
  t.match(away, {
    code: 1,
    bad: [{ check: 'redis', found: /ECONNREFUSED.*memory tier works alone/, change: /REDIS_URL/ }],
  })
  const redis = await startRedis()
  const client = new Redis(redis.url)
  await client.call('acl', 'setuser', 'reader', 'on', '>secret', '~roundhouse:*', '+get', '+mget', '+ping')
  await client.config('SET', 'requirepass', 'right')
  client.disconnect()
  t.teardown(() => redis.stop())
  const wrong = await doctor({ DATA_DIR, REDIS_URL: `redis://:wrong@127.0.0.1:${redis.port}` })
  t.match(wrong, { code: 1, bad: [{ check: 'redis', found: /WRONGPASS/, change: /password/ }] })
  const bare = await doctor({ DATA_DIR, REDIS_URL: `redis://:right@127.0.0.1:${redis.port}` })
  t.match(bare, { code: 0, bad: [{ check: 'redis', result: 'warning', found: /no maxmemory/, change: /allkeys-lru/ }] })
  const reader = await doctor({ DATA_DIR, REDIS_URL: `redis://reader:secret@127.0.0.1:${redis.port}` })
  t.match(reader, { code: 1, bad: [{ found: /refuses set \(NOPERM.*del/, change: /\+set/ }] })
})

t.test('the embedded database: not made, in order, and in use', async (t) => {
  const made = await doctor({ DATA_DIR: join(temporaryDirectory(), 'data') })
  t.match(made, { code: 0, bad: [], json: { findings: [{}, { found: /is made at the first start/ }, {}] } })
  const DATA_DIR = await preparedPgliteDir()
  const fine = await doctor({ DATA_DIR })
  t.same({ code: fine.code, bad: fine.bad }, { code: 0, bad: [] })
  await startService(t, { env: { DATA_DIR } })
  t.match(await doctor({ DATA_DIR }), { code: 0, bad: [{ result: 'warning', found: /has the embedded database/ }] })
})

t.test('a place in which the start would end is a fault of the configuration', async (t) => {
  const parent = temporaryDirectory()
  const DATA_DIR = join(parent, 'not', 'there')
  const faults: [env: Record<string, string>, found: RegExp][] = [
    [{ DATA_DIR: '/proc/x' }, /^DATA_DIR can not be a folder/],
    [{ DATA_DIR, HOST: '1.2.3.4' }, /^HOST is no address of this machine/],
    // The token that is made has to be kept.
    [{ DATA_DIR: '/proc/x', DATABASE_URL: await postgres.createDatabase(), ADMIN_TOKENS: '' }, /^DATA_DIR can not be/],
  ]
  for (const [env, found] of faults) {
    const { code, bad } = await doctor(env)
    const ofConfiguration = bad.filter(({ check }) => check === 'configuration')
    t.match({ code, ofConfiguration }, { code: 1, ofConfiguration: [{ result: 'fault', found }] })
    t.equal(ofConfiguration.length, 1)
  }
  const listener = createServer().listen(0, '::')
  await once(listener, 'listening')
  t.teardown(() => listener.close())
  const { port } = listener.address() as AddressInfo
  const taken = await doctor({ DATA_DIR, PORT: String(port) })
  t.match(taken, { code: 0, bad: [{ result: 'warning', found: /^PORT \d+ is in use/, change: /roundhouse health/ }] })
  t.same(readdirSync(parent), [], 'nothing is left of what was tried')
})

t.test('a server without a free connection, and sentinels that do not answer', async (t) => {
  const full = await startPostgres({ max_connections: '4', superuser_reserved_connections: '1' })
  t.teardown(() => full.stop())
  await run(full.url, 'create role shop login')
  const url = full.url.replace('postgres@', 'shop@')
  const clients: pg.Client[] = []
  const holdOne = async (): Promise<boolean> => {
    const client = new pg.Client(url)
    client.on('error', () => {})
    clients.push(client)
    return client.connect().then(
      () => true,
      () => false,
    )
  }
  while (await holdOne()) t.ok(clients.length < 5)
  const env = { DATABASE_URL: url, REDIS_SENTINELS: `127.0.0.1:${await freePort()}` }
  t.match(await doctor(env), {
    code: 1,
    bad: [
      { check: 'database', found: /slots|clients/, change: /max_connections/ },
      { check: 'redis', found: /can not be used/ },
    ],
  })
  await Promise.all(clients.map((client) => client.end().catch(() => {})))
})

t.test('settings that are wrong are all told, and what is right is looked at', async (t) => {
  const url = await migrated(t)
  const { code, bad } = await doctor({ DATABASE_URL: url, REDIS_URL: 'http://secret@x', PORT: 'abc' })
  t.equal(code, 1)
  t.match(
    bad
      .filter(({ result }) => result === 'fault')
      .map(({ found }) => found.split(' ')[0])
      .toSorted((a = '', b = '') => a.localeCompare(b)),
    ['PORT', 'REDIS_URL'],
  )
  t.ok(
    bad.some(({ check }) => check === 'database'),
    'the database was looked at',
  )
  t.notMatch(JSON.stringify(bad), 'secret')
})
