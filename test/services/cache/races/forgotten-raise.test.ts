import t from 'tap'
import { RealDatabase } from '../../../helpers/cache/real-journal.js'
import { until } from '../../../helpers/deadline.js'

/** Somebody at a psql prompt, a script, a migration: SQL that tells nobody. What each leaves of the row `a`. */
const WRITES: Record<string, readonly [left: string, ...texts: string[]]> = {
  'an update': ['new', `update things set note = 'new' where id = 'a'`],
  'a delete': ['nothing', `delete from things where id = 'a'`],
  'an update of the whole table': ['NEW', `update things set note = upper('new')`],
  'an upsert': [
    'upserted',
    `insert into things values ('a', 'u', 'upserted') on conflict (id) do update set note = excluded.note`,
  ],
  'a merge': [
    'merged',
    `merge into things using (values ('a')) v (id) on v.id = things.id when matched then update set note = 'merged'`,
  ],
  'a statement that changes the key': ['nothing', `update things set id = 'z' where id = 'a'`],
  'a transaction with a savepoint': [
    'kept',
    `begin; savepoint s; update things set note = 'undone'; rollback to s; update things set note = 'kept'; commit`,
  ],
  'a session that takes itself for a subscriber': [
    'replicated',
    `begin; set local session_replication_role = replica; update things set note = 'replicated'; commit`,
  ],
  'a cascade from another table': [
    'nothing',
    `create table owners (id text primary key); insert into owners select distinct owner from things;
     alter table things add constraint own foreign key (owner) references owners on delete cascade;
     delete from owners; alter table things drop constraint own`,
  ],
  'a truncate': ['nothing', 'truncate things'],
}

t.test('a change by SQL that tells nobody is heard of within H', async (t) => {
  const database = await RealDatabase.start(t)
  const replicas = [await database.openCache(), await database.openCache()]
  for (const [what, [left, ...texts]] of Object.entries(WRITES)) {
    await t.test(what, async (t) => {
      await database.sql(`insert into things values ('a', 'u', 'old') on conflict (id) do update set note = 'old'`)
      for (const replica of replicas) {
        const isKept = async (): Promise<boolean> => (await replica.read('a')) === 'old: hit'
        await until(isKept, { describe: 'the old row is in memory' })
      }
      for (const text of texts) await database.sql(text)
      const committedAt = performance.now()
      for (const replica of replicas) {
        const isNew = async (): Promise<boolean> => (await replica.read('a')).startsWith(`${left}: `)
        await until(isNew, { describe: `${left} is answered` })
      }
      // H, and what a busy machine takes for a statement.
      t.ok(performance.now() - committedAt < 1_500)
    })
  }
})

t.test('an insert makes an end of "no such row"', async (t) => {
  const database = await RealDatabase.start(t)
  const replica = await database.openCache()
  t.equal(await replica.read('b'), 'nothing: miss')
  t.equal(await replica.read('b'), 'nothing: hit')
  await database.sql(`insert into things values ('b', 'u', 'there')`)
  await until(async () => (await replica.read('b')).startsWith('there'), {
    describe: 'the row is found',
    timeoutMs: 1_500,
  })
})

t.test('without its triggers a table is not cached, and the state says which is missing', async (t) => {
  const database = await RealDatabase.start(t)
  const reasons: string[] = []
  const replica = await database.openCache({ events: { onState: ({ reason }) => void reasons.push(reason) } })
  await database.sql(`insert into things values ('a', 'u', 'old')`)
  await until(async () => (await replica.read('a')) === 'old: hit', { describe: 'the row is cached' })
  await database.sql('alter table things disable trigger all')
  const isSaid = (): boolean => /not "enable always": .*on things/.test(reasons.at(-1) ?? '')
  await until(isSaid, { describe: 'the triggers are missed' })
  t.equal(replica.cache.state, 'isolated')
  await database.sql(`update things set note = 'new'`)
  t.equal(await replica.read('a'), 'new: miss')
})
