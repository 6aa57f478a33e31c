import t, { type Test } from 'tap'
import type { JournalStore, RaisedTag } from '../../../../services/cache/index.js'
import {
  createJournalStore,
  migrate,
  openDatabase,
  type Queryable,
  raiseTags,
} from '../../../../services/database/index.js'
import { deferred } from '../../../helpers/cache/deferred.js'
import { FakeClock } from '../../../helpers/cache/fake-clock.js'
import { ModelJournal } from '../../../helpers/cache/model-journal.js'
import { promptNetwork } from '../../../helpers/cache/network.js'
import { until } from '../../../helpers/deadline.js'
import { startPostgres } from '../../../helpers/postgres.js'

interface Transaction {
  raise(tags: readonly string[]): Promise<RaisedTag[]>
}

interface Subject {
  readonly store: JournalStore
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** Makes every row `ms` older. */
  age(ms: number): Promise<void>
}

async function openReal(): Promise<Subject> {
  const server = await startPostgres()
  const database = await openDatabase({ url: await server.createDatabase(), dataDir: 'unused' })
  await migrate(database)
  t.teardown(async () => {
    await database.close()
    await server.stop()
  })
  const text = `update cache_journal set changed_at = changed_at - $1::float8 * interval '1 millisecond'`
  return {
    store: createJournalStore(database),
    transaction: (work) =>
      database.transaction((transaction: Queryable) => work({ raise: (tags) => raiseTags(transaction, tags) })),
    age: async (ms) => void (await database.query({ name: 'age', text, values: [ms] })),
  }
}

async function openModel(): Promise<Subject> {
  const clock = new FakeClock()
  const journal = new ModelJournal({ clock })
  return {
    store: journal.store({ network: promptNetwork, name: 'replica' }),
    async transaction(work) {
      const transaction = journal.begin()
      try {
        const result = await work(transaction)
        transaction.commit()
        return result
      } catch (error) {
        transaction.rollback()
        throw error
      }
    },
    age: (ms) => clock.advance(ms),
  }
}

for (const [name, open] of Object.entries({ Postgres: openReal, 'the model of it': openModel })) {
  t.test(`the journal on ${name}`, async (t) => behavesAsJournal(t, await open()))
}

async function behavesAsJournal(t: Test, { store, transaction, age }: Subject): Promise<void> {
  const sorted = (raised: readonly RaisedTag[]): string[] => raised.map(({ tag }) => tag).sort()
  const versionIn = (raised: readonly RaisedTag[], tag: string): number =>
    raised.find((row) => row.tag === tag)?.version ?? Number.NaN

  await t.test('it has a name and a secret, and a new name on request, once', async (t) => {
    const { id, secret } = await store.identity()
    await store.renewIdentity('another')
    t.same(await store.identity(), { id, secret })
    await store.renewIdentity(id)
    const renewed = await store.identity()
    t.not(renewed.id, id)
    await store.renewIdentity(id)
    t.same(await store.identity(), { id: renewed.id, secret })
  })

  await t.test('a raise answers each tag once, with versions above all it had', async (t) => {
    const first = await store.raise(['u/b', 'u/a', 'u/b'])
    t.same(sorted(first), ['u/a', 'u/b'])
    const second = await store.raise(['u/a'])
    t.ok(versionIn(second, 'u/a') > versionIn(first, 'u/a'))
    t.equal(await store.versionOf('u/a'), versionIn(second, 'u/a'))
    t.equal(await store.versionOf('u/never'), 0)
    t.same(await store.raise([]), [])
  })

  await t.test('notifications come after the commit, in its order; a rollback sends none', async (t) => {
    const heard: string[][] = []
    const session = await store.open((raised) => heard.push(sorted(raised)))
    await t.rejects(
      transaction(async (open) => {
        await open.raise(['u/rolled back'])
        throw new Error('no')
      }),
    )
    const { cursor } = await session.tail(undefined)
    const isRaised = deferred()
    const mayCommit = deferred()
    const slow = transaction(async (open) => {
      await open.raise(['u/slow', 'u/slower'])
      isRaised.resolve()
      await mayCommit.promise
    })
    await isRaised.promise
    await store.raise(['u/fast'])
    await until(() => heard.length === 1, { describe: 'the fast one is heard of' })
    t.same(heard, [['u/fast']])
    t.equal(await store.versionOf('u/slow'), 0, 'not committed')
    mayCommit.resolve()
    await slow
    await until(() => heard.length === 2, { describe: 'the slow one is heard of' })
    t.same(heard[1], ['u/slow', 'u/slower'])
    t.same(sorted((await session.tail(cursor)).raised), ['u/fast', 'u/slow', 'u/slower'])
    t.equal(await store.versionOf('u/rolled back'), 0)
    await session.close()
    t.equal(await session.closed, undefined)
    await t.rejects(session.tail(cursor))
  })

  await t.test('too many tags for a payload: an empty notification', async (t) => {
    const heard: number[] = []
    const session = await store.open((raised) => heard.push(raised.length))
    await store.raise(Array.from({ length: 1_000 }, (_, n) => `u/many-${n}`))
    await until(() => heard.length === 1, { describe: 'the notification' })
    t.same(heard, [0])
    await session.close()
  })

  await t.test('a tail finds what commits after it, however early it began', async (t) => {
    const session = await store.open(() => {})
    const isRaised = deferred()
    const mayCommit = deferred()
    const slow = transaction(async (open) => {
      const raised = await open.raise(['u/early'])
      isRaised.resolve()
      await mayCommit.promise
      return raised
    })
    await isRaised.promise
    await store.raise(['u/later'])
    const first = await session.tail((await session.tail(undefined)).cursor)
    await store.raise(['u/latest'])
    const second = await session.tail(first.cursor)
    t.ok(sorted(second.raised).includes('u/latest'))
    t.notOk(sorted(second.raised).includes('u/early'))
    mayCommit.resolve()
    const raised = await slow
    const third = await session.tail(second.cursor)
    t.equal(versionIn(third.raised, 'u/early'), versionIn(raised, 'u/early'))
    const fourth = await session.tail(third.cursor)
    t.same((await session.tail(fourth.cursor)).raised, [], 'nothing is found for ever')
    await session.close()
  })

  await t.test('a cursor from a journal’s future: everything counts as new', async (t) => {
    const session = await store.open(() => {})
    const { cursor } = await session.tail(undefined)
    const { raised } = await session.tail(String(BigInt(cursor) + 1_000_000n))
    t.ok(sorted(raised).includes('u/a') && sorted(raised).includes('u/many-999'))
    await session.close()
  })

  await t.test('writers of one tag wait for each other; versions go up in the order of the commits', async (t) => {
    const isRaised = deferred()
    const mayCommit = deferred()
    const order: string[] = []
    const first = transaction(async (open) => {
      const raised = await open.raise(['u/shared'])
      isRaised.resolve()
      await mayCommit.promise
      order.push('first')
      return raised
    })
    await isRaised.promise
    const second = transaction(async (open) => {
      const raised = await open.raise(['u/shared', 'u/own'])
      order.push('second')
      return raised
    })
    await store.raise(['u/unrelated'])
    mayCommit.resolve()
    const [one, two] = await Promise.all([first, second])
    t.same(order, ['first', 'second'])
    t.ok(versionIn(two, 'u/shared') > versionIn(one, 'u/shared'))
  })

  await t.test('a second writer goes on when the first one rolls back', async (t) => {
    const isRaised = deferred()
    const mayFail = deferred()
    const first = transaction(async (open) => {
      await open.raise(['u/contested'])
      isRaised.resolve()
      await mayFail.promise
      throw new Error('no')
    })
    await isRaised.promise
    const second = store.raise(['u/contested'])
    mayFail.resolve()
    await t.rejects(first, /no/)
    const raised = await second
    t.equal(await store.versionOf('u/contested'), versionIn(raised, 'u/contested'))
  })

  await t.test('what was changed lately comes in pages, in the order of the tags', async (t) => {
    await age(600_000)
    await store.raise(['u/p3', 'u/p1', 'u/p2', 'u/p5', 'u/p4'])
    t.equal(await store.countChangedWithin(60_000), 5)
    const pages: string[][] = []
    for (let after: string | undefined; ;) {
      const page = await store.changedWithin(60_000, after, 2)
      pages.push(page.map(({ tag }) => tag))
      after = page.at(-1)?.tag
      if (page.length < 2) break
    }
    t.same(pages, [['u/p1', 'u/p2'], ['u/p3', 'u/p4'], ['u/p5']])
    t.ok((await store.countChangedWithin(700_000)) > 1_000)
  })

  await t.test('pruning deletes what is old, never a clear; a tag that returns gets a higher version', async (t) => {
    const [cleared] = await store.raise(['*'])
    const before = await store.raise(['u/pruned'])
    await age(100_000)
    await store.raise(['u/kept'])
    const deleted = await store.prune(100_000)
    t.ok(deleted > 1_000, `${deleted} rows`)
    t.equal(await store.versionOf('u/pruned'), 0)
    t.equal(await store.versionOf('*'), cleared?.version)
    t.ok((await store.versionOf('u/kept')) > 0)
    t.ok(versionIn(await store.raise(['u/pruned']), 'u/pruned') > versionIn(before, 'u/pruned'))
    t.equal(await store.prune(100_000), 0)
  })
}
