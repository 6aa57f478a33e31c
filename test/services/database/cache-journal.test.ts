import t, { type Test } from 'tap'
import {
  type MigratableDatabase,
  createJournalStore,
  migrate,
  openDatabase,
  raiseTags,
} from '../../../services/database/index.js'
import type { RaisedTag } from '../../../services/cache/entry.js'
import { until } from '../../helpers/deadline.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { startPostgres } from '../../helpers/postgres.js'
import { query } from './conformance.js'

const server = await startPostgres()
t.teardown(() => server.stop())

async function openPostgres(): Promise<MigratableDatabase> {
  const database = await openDatabase({ url: await server.createDatabase(), dataDir: 'unused' })
  await migrate(database)
  return database
}

const drivers = {
  PostgreSQL: openPostgres,
  PGlite: async () => openDatabase({ dataDir: await preparedPgliteDir() }),
}

for (const [name, open] of Object.entries(drivers)) {
  t.test(`the journal over ${name}`, async (t) => {
    const database = await open()
    t.teardown(() => database.close())
    await keepsJournal(t, database)
  })
}

async function keepsJournal(t: Test, database: MigratableDatabase): Promise<void> {
  const store = createJournalStore(database)

  await t.test('a raise answers each tag once, whatever the order and however often it was named', async (t) => {
    const raised = await store.raise(['u/c', 'u/a', 'u/c', 'u/b', 'u/a'])
    t.same(raised.map(({ tag }) => tag).sort(), ['u/a', 'u/b', 'u/c'])
    t.equal(new Set(raised.map(({ version }) => version)).size, 3)
    t.same(await store.raise([]), [])
  })

  await t.test('each raise of a tag gives it a higher version', async (t) => {
    const versions = [await raiseOne('u/a'), await raiseOne('u/a'), await raiseOne('u/b'), await raiseOne('u/a')]
    t.same(
      versions,
      [...versions].sort((a, b) => a - b),
    )
    t.equal(await store.versionOf('u/a'), versions[3])
    t.equal(await store.versionOf('u/never'), 0)
  })

  await t.test('a session hears the raised pairs; a rolled-back raise is neither heard nor found', async (t) => {
    const heard: (readonly RaisedTag[])[] = []
    const session = await store.open((raised) => heard.push(raised))
    const { cursor } = await session.tail(undefined)
    const rolledBack = database.transaction(async (transaction) => {
      await raiseTags(transaction, ['u/rolled back'])
      throw new Error('no')
    })
    await t.rejects(rolledBack)
    const raised = await store.raise(['u/ä "quoted"', 'u/a'])
    await until(() => heard.length > 0, { describe: 'the notification' })
    t.same(heard.map(sorted), [sorted(raised)])
    t.same(sorted((await session.tail(cursor)).raised), sorted(raised))
    t.equal(await store.versionOf('u/rolled back'), 0)
    await session.close()
    t.equal(await session.closed, undefined)
  })

  await t.test('a payload that would be too long is left out; the tail has the rows', async (t) => {
    const heard: (readonly RaisedTag[])[] = []
    const session = await store.open((raised) => heard.push(raised))
    const { cursor } = await session.tail(undefined)
    const raised = await store.raise(Array.from({ length: 1_000 }, (_, index) => `u/ünï ${index}`))
    t.equal(raised.length, 1_000)
    await until(() => heard.length > 0, { describe: 'the notification' })
    t.same(heard, [[]])
    t.equal((await session.tail(cursor)).raised.length, 1_000)
    await session.close()
  })

  await t.test('whatever else is sent on the channel only asks for a tail', async (t) => {
    const heard: (readonly RaisedTag[])[] = []
    const session = await store.open((raised) => heard.push(raised))
    for (const payload of ['', 'hello', '{"a":1}', '[["u/a"]]', '[null]']) {
      await query(database, `select pg_notify('cache_journal', $1)`, [payload])
    }
    await until(() => heard.length === 5, { describe: 'five notifications' })
    t.same(heard, [[], [], [], [], []])
    await session.close()
  })

  await t.test('a cursor from a history that is gone makes the tail answer with everything', async (t) => {
    const session = await store.open(() => {})
    const { cursor, raised } = await session.tail('9000000000000000000')
    t.equal(raised.length, await store.countChangedWithin(3_600_000))
    t.ok(BigInt(cursor) < 9_000_000_000_000_000_000n)
    await session.close()
  })

  await t.test('what changed lately comes in pages by tag', async (t) => {
    const pages: (readonly RaisedTag[])[] = []
    for (let after: string | undefined; ; after = pages.at(-1)?.at(-1)?.tag) {
      const page = await store.changedWithin(1_000, after, 400)
      pages.push(page)
      if (page.length < 400) break
    }
    const tags = pages.flat().map(({ tag }) => tag)
    t.equal(tags.length, await store.countChangedWithin(1_000))
    t.equal(new Set(tags).size, tags.length)
    t.equal(pages.length, 3)
  })

  await t.test(
    'a row changed longer ago does not count, but one that may only just have been committed does',
    async (t) => {
      await store.raise(['u/old', 'u/committed late'])
      await query(database, `update cache_journal set changed_at = now() - interval '2 hours' where tag = 'u/old'`)
      await query(
        database,
        `update cache_journal set changed_at = now() - interval '30 s' where tag = 'u/committed late'`,
      )
      const tags = (await store.changedWithin(10_000, 'u/', 10_000)).map(({ tag }) => tag)
      t.notOk(tags.includes('u/old'))
      t.ok(tags.includes('u/committed late'))
    },
  )

  await t.test('a pruned tag comes back with a higher version than it ever had, and * is never pruned', async (t) => {
    await store.raise(['*', 'u/a', 'u/fresh'])
    const before = await store.versionOf('u/a')
    const all = await store.versionOf('*')
    await query(database, `update cache_journal set changed_at = now() - interval '1 day' where tag <> 'u/fresh'`)
    t.ok((await store.prune(3_600_000)) > 1_000)
    t.same([await store.versionOf('u/a'), await store.versionOf('*')], [0, all])
    t.same(
      (await store.changedWithin(1_000, '*', 10)).map(({ tag }) => tag),
      ['u/fresh'],
    )
    t.ok((await raiseOne('u/a')) > before)
  })

  await t.test('the identity stays until it is renewed, once, by whoever still knows the old one', async (t) => {
    const first = await store.identity()
    t.same(await store.identity(), first)
    await store.renewIdentity('another')
    t.same(await store.identity(), first)
    await store.renewIdentity(first.id)
    const second = await store.identity()
    t.not(second.id, first.id)
    t.equal(second.secret, first.secret)
    await store.renewIdentity(first.id)
    t.same(await store.identity(), second)
  })

  async function raiseOne(tag: string): Promise<number> {
    const [raised] = await store.raise([tag])
    return raised?.version ?? 0
  }
}

t.test('the tail is exact: a transaction that raised early and commits late is not missed', async (t) => {
  const database = await openPostgres()
  t.teardown(() => database.close())
  const session = await createJournalStore(database).open(() => {})
  const start = await session.tail(undefined)

  const early = deferred()
  const mayCommit = deferred()
  const late = database.transaction(async (transaction) => {
    await raiseTags(transaction, ['u/early raise'])
    early.resolve()
    await mayCommit.promise
  })
  await early.promise
  await database.transaction((transaction) => raiseTags(transaction, ['u/late raise']))

  const second = await session.tail(start.cursor)
  t.same(tagsOf(second.raised), ['u/late raise'], 'the open transaction is not seen')
  mayCommit.resolve()
  await late
  const third = await session.tail(second.cursor)
  t.ok(tagsOf(third.raised).includes('u/early raise'), 'and is seen by the first tail after its commit')
  const fourth = await session.tail(third.cursor)
  t.same(fourth.raised, [], 'what was seen with nothing open is not seen again')
})

t.test('versions of a tag go up in the order of the commits, with writers that overlap', async (t) => {
  const database = await openPostgres()
  t.teardown(() => database.close())
  await query(database, 'create table commits (place serial, version bigint)')
  const write = (tags: readonly string[]) =>
    database.transaction(async (transaction) => {
      const raised = await raiseTags(transaction, tags)
      const shared = raised.find(({ tag }) => tag === 'u/shared')
      // The tag's row is locked from the raise to the commit, so the places are those of the commits.
      await query(transaction, 'insert into commits (version) values ($1)', [shared?.version])
    })
  // In both orders, which deadlocks unless the rows are locked in one.
  const writes = Array.from({ length: 60 }, (_, index) =>
    write(index % 2 ? ['u/shared', 'u/z', 'u/a'] : ['u/a', 'u/z', 'u/shared']),
  )
  await Promise.all(writes)
  const outOfOrder = await query(
    database,
    'select 1 from (select version, lag(version) over (order by place) as before from commits) as c where version <= before',
  )
  t.same(outOfOrder, [])
  t.same(await query(database, 'select count(*)::integer as count from commits'), [{ count: 60 }])
})

t.test('a writer that had to wait gets a higher version than the one it waited for left behind', async (t) => {
  const database = await openPostgres()
  t.teardown(() => database.close())
  const isWaiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%cache_touch%'`
  let waiting: Promise<RaisedTag[]> | undefined
  const first = await database.transaction(async (transaction) => {
    await raiseTags(transaction, ['u/a'])
    waiting = raiseTags(database, ['u/a'])
    await until(async () => (await query(database, isWaiting)).length, { describe: 'the other writer waits' })
    return raiseTags(transaction, ['u/a'])
  })
  const second = await waiting
  t.ok((second?.[0]?.version ?? 0) > (first[0]?.version ?? 0))
})

t.test('pruning does not wait for writers, nor they for it', async (t) => {
  const database = await openPostgres()
  t.teardown(() => database.close())
  const store = createJournalStore(database)
  await store.raise(['u/a', 'u/b'])
  await query(database, `update cache_journal set changed_at = now() - interval '1 day'`)
  await database.transaction(async (transaction) => {
    await raiseTags(transaction, ['u/b'])
    t.equal(await store.prune(3_600_000), 1)
  })
  t.ok((await store.versionOf('u/b')) > 0)
})

t.test('a tail that gets no answer within its limit ends the session', async (t) => {
  const database = await openPostgres()
  const session = await createJournalStore(database, { tailTimeoutMs: 150 }).open(() => {})
  server.pause()
  t.teardown(() => server.resume())
  await t.rejects(session.tail(undefined), { code: 'DATABASE_UNAVAILABLE' })
  t.match(await session.closed, { code: 'DATABASE_UNAVAILABLE' })
  server.resume()
  await database.close()
})

function tagsOf(raised: readonly RaisedTag[]): string[] {
  return raised.map(({ tag }) => tag)
}

function sorted(raised: readonly RaisedTag[]): RaisedTag[] {
  return [...raised].sort((a, b) => a.version - b.version)
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve: () => resolve() }
}
