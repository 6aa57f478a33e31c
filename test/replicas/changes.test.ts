import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { systemClock } from '../../services/cache/index.js'
import { Cursors } from '../../services/changes/cursors.js'
import { ChangesFeed } from '../../services/changes/feed.js'
import type { Database } from '../../services/database/index.js'
import { resources } from '../../services/domains.js'
import { LoadQueue } from '../../services/resource/lists/load-queue.js'
import { Caller, startService, type TestService } from '../helpers/app.js'
import { Copy, type FollowerOptions, listen, type PageOf, poll } from '../helpers/changes/followers.js'
import { writeByApi, writeBySql } from '../helpers/changes/writers.js'
import { preparedSeed } from '../helpers/changes/seed.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { Seeded } from '../helpers/seeded.js'

const REPLICAS = 3
const [SQL_WRITERS, API_WRITERS] = [16, 4]
const WRITE_MS = 8_000
const BOUND_MS = 1_000

t.setTimeout(240_000)

t.test('20 writers, followers that change replicas: each ends with exactly the catalogue', async (t) => {
  const seed = preparedSeed(t)
  const postgres = await startPostgres({ deadlock_timeout: '100ms' })
  const url = await postgres.createDatabase()
  const env = { DATABASE_URL: url, CACHE_STALENESS_BOUND_MS: `${BOUND_MS}` }
  const replicas: TestService[] = []
  for (let n = 0; n < REPLICAS; n += 1) replicas.push(await startService(t, { env }))
  t.teardown(() => postgres.stop())
  const ports: number[] = []
  for (const { app } of replicas) ports.push(Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port))
  const [user, other] = [await replicas[0]!.newUser(), await replicas[0]!.newUser()]

  let isWritten = false
  let isOver = false
  const callers = replicas.map(({ app }) => new Caller(app, user.token))
  const writing = [
    ...Array.from({ length: SQL_WRITERS }, (_, n) =>
      writeBySql(url, n % 8 === 7 ? other.id : user.id, new Seeded(seed + n), () => isWritten),
    ),
    ...Array.from({ length: API_WRITERS }, (_, n) => {
      const random = new Seeded(seed + 100 + n)
      return writeByApi(
        () => random.pick(callers),
        random,
        () => isWritten,
      )
    }),
  ]
  const followers = Array.from({ length: 6 }, (_, n) => {
    const random = new Seeded(seed + 200 + n)
    const options: FollowerOptions = {
      random,
      token: user.token,
      ports,
      isOver: () => isOver,
      ask: async (path) => random.pick(callers).get(path),
    }
    const copy = new Copy()
    const run = async (): Promise<void> => {
      await sleep(random.below(WRITE_MS / 2))
      const start = (await options.ask('/api/changes')).body.next_cursor
      for (const [key, row] of await catalogue(random.pick(callers))) copy.rows.set(key, row)
      await (n % 2 === 0 ? poll : listen)(options, copy, start)
    }
    return { kind: n % 2 === 0 ? 'polling' : 'listening', copy, ended: run() }
  })
  // What the same code would do with the highest id for a cursor.
  const naive = byHighestId(replicas[0]!)
  const naiveCopy = new Copy()
  const naiveStart = await naive.start(user.id)
  const naiveFollower = poll(
    {
      random: new Seeded(seed),
      token: '',
      ports,
      isOver: () => isOver,
      async ask(path) {
        const since = new URL(path, 'http://x').searchParams.get('since') ?? ''
        return { status: 200, body: await asPage(naive.page(user.id, since, 100)) }
      },
    },
    naiveCopy,
    naiveStart,
  )

  // Begun before all others that follow, and the last to commit.
  const last = new pg.Client(url)
  await last.connect()
  await last.query('begin')
  await last.query(`insert into designs (user_id, filename, file_path, platform) values ($1, 'last', '/f', 'etsy')`, [
    user.id,
  ])
  await sleep(WRITE_MS)
  await last.query('commit')
  await last.end()
  isWritten = true
  const commits = (await Promise.all(writing)).reduce((sum, each) => sum + each, 0)
  isOver = true
  await Promise.all([naiveFollower, ...followers.map(({ ended }) => ended)])
  await sleep(BOUND_MS + 100)
  const expected = await catalogue(callers[0]!)
  t.comment(
    `${commits} commits, ${expected.length} rows, ${followers.map(({ copy }) => copy.changes).join(', ')} changes`,
  )
  t.ok(expected.length > 50, 'there is a catalogue')
  for (const { kind, copy } of followers) {
    t.ok(copy.changes > 50, `${kind}: there was something to follow`)
    t.same(copy.sorted(), expected, `${kind}: exactly the catalogue`)
    t.same(copy.repeated, [], `${kind}: nothing twice`)
  }
  t.notSame(
    naiveCopy.sorted().map(([key]) => key),
    expected.map(([key]) => key),
    'the highest id for a cursor misses what commits late: this test would notice',
  )
})

/** Every row of the caller, by its resource and id, as its list answers it. */
async function catalogue(caller: Caller): Promise<[string, object][]> {
  const all: [string, object][] = []
  for (const { name } of resources) {
    for (let cursor: string | null = ''; cursor !== null;) {
      const { status, body } = await caller.get(`/api/${name}?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`)
      if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
      for (const item of body.items) all.push([`${name}/${item.id}`, item])
      cursor = body.next_cursor
    }
  }
  return all.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** A feed of its own whose snapshots have forgotten which transactions were running: all below the highest id count as seen. */
function byHighestId({ app }: TestService): ChangesFeed {
  const database: Database = Object.create(app.db, {
    query: {
      value: async (statement: Parameters<Database['query']>[0]) => {
        const rows = await app.db.query<Record<string, unknown>>(statement)
        return rows.map((row) => {
          const xmax = typeof row['snapshot'] === 'string' ? row['snapshot'].split(':')[1] : undefined
          return xmax === undefined ? row : { ...row, snapshot: `${xmax}:${xmax}:` }
        })
      },
    },
  })
  const { now, sleep: pause } = systemClock
  return new ChangesFeed({
    database,
    resources,
    cache: app.cache,
    loadQueue: new LoadQueue(),
    cursors: new Cursors(['naive']),
    staleMs: 0,
    now,
    sleep: pause,
  })
}

async function asPage(page: ReturnType<ChangesFeed['page']>): Promise<PageOf> {
  const { changes, nextCursor, isMore } = await page
  return { changes: changes.map(({ json }) => JSON.parse(json)), next_cursor: nextCursor, more: isMore }
}
