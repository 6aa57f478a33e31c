import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { RealDatabase } from '../../../helpers/cache/real-journal.js'
import { Rows, startWorld, tagOf, write } from '../../../helpers/cache/replicas.js'
import { until } from '../../../helpers/deadline.js'

t.test('ids that are given out a second time are not taken for the first', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.change([tagOf('x')], { a: 'kept' })
  await clock.advance(334)
  database.change([tagOf('a')], { a: 'lost in the crash' })
  await clock.advance(334)
  t.equal(await rows.read(writer, 'a'), 'lost in the crash: miss')
  await rows.read(reader, 'a')
  // The crash takes the last transaction back; the next writer gets its id, and writes the same tag.
  database.goBackTo(1, new Map([['a', 'kept']]))
  database.change([tagOf('a')], { a: 'written after it' })
  await clock.advance(334)
  t.equal(reader.cache.stats().memoryItems, 0, 'memory is free at once')
  for (const member of members) t.match(await rows.read(member, 'a'), /^written after it/)
  await clock.advance(60)
  t.equal(reader.journal.listens, 2, 'its channel may be another one')
  const identities = reader.events.filter((event) => event.includes('identity'))
  t.same(identities, ['first identity: history 1', 'new identity: history 2'])
})

t.test('a load under way while the identity changes is answered, not kept and not shared', async (t) => {
  const { database, members, clock } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'taken back')
  rows.holdEach()
  const early = rows.read(only, 'a')
  await drain()
  database.goBackTo(0, new Map([['a', 'restored']]))
  await clock.advance(334)
  const late = rows.read(only, 'a')
  await clock.advance(1)
  rows.loads[1]?.resolve()
  t.equal(await late, 'restored: miss')
  rows.loads[0]?.resolve()
  t.equal(await early, 'taken back: miss')
  t.equal(await rows.read(only, 'a'), 'restored: hit in memory')
})

t.test('hints outlive a change of identity: the write may be of the new history', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [writer, other] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  writer.journal.hold()
  database.goBackTo(0, new Map([['a', 'restored']]))
  // The writer's tail brings the new identity, and has begun before its write; the other one has filled Redis meanwhile.
  await clock.advance(334)
  t.equal(await rows.read(other, 'a'), 'restored: miss')
  await write(writer, database, 'a', 'new')
  writer.journal.release()
  await drain()
  t.equal(await rows.read(writer, 'a'), 'new: miss')
})

t.test('a replica that was away while rows were pruned starts anew', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader] = [members[0]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  reader.journal.failure = new Error('away')
  await clock.advance(334)
  database.change([tagOf('a')], { a: 'new' })
  database.change([tagOf('b')])
  database.mark()
  database.prune()
  reader.journal.failure = undefined
  await clock.advance(400)
  t.match(await rows.read(reader, 'a'), /^new/)
})

t.test(
  'commits that a crash of Postgres takes back are forgotten, and their ids are not taken for those of before',
  async (t) => {
    // Nothing flushes the log but a checkpoint: what was committed since is lost with the server.
    const isLost = { synchronous_commit: 'off', wal_writer_delay: '10s', bgwriter_lru_maxpages: '0', autovacuum: 'off' }
    const database = await RealDatabase.start(t, isLost)
    const replica = await database.openCache()
    const answers = (note: string) => async (): Promise<boolean> => (await replica.read('a')).startsWith(`${note}: `)
    const idOf = async (text: string): Promise<unknown> =>
      (await database.sql(`${text} returning pg_current_xact_id()::text as id`))[0]?.['id']
    await database.sql(`insert into things values ('a', 'u', 'kept')`)
    await database.sql('checkpoint')
    const lost = await idOf(`update things set note = 'lost in the crash'`)
    await until(answers('lost in the crash'), { describe: 'it is heard of' })
    await until(async () => (await replica.read('a')).endsWith(': hit'), { describe: 'it is cached' })

    await database.server.kill()
    await database.server.restart()
    const isBack = async (): Promise<boolean> => (await database.sql('select note from things'))[0]?.['note'] === 'kept'
    await until(isBack, { describe: 'the commit is gone', timeoutMs: 10_000 })
    t.equal(await idOf(`update things set note = 'written after it'`), lost, 'the id is given out again')
    await until(answers('written after it'), { describe: 'the new history is answered', timeoutMs: 10_000 })
    await until(() => replica.identities > 1 && replica.cache.state !== 'isolated', {
      describe: 'it is followed again',
    })
    t.equal(replica.identities, 2)
  },
)

t.test('rows that a restore put there, which no trigger has seen, are another history', async (t) => {
  const database = await RealDatabase.start(t)
  const replica = await database.openCache()
  await database.sql(`insert into things values ('a', 'u', 'old')`)
  await until(async () => (await replica.read('a')) === 'old: hit', { describe: 'it is cached' })
  // As after a restore of the dumped rows: no trigger has seen them come.
  await database.sql(`begin; create table copy as select * from things; update copy set note = 'restored'; truncate things;
    alter table things disable trigger all; insert into things select * from copy;
    do $$ declare made record; begin
      for made in select tgname from pg_trigger where tgrelid = 'things'::regclass and not tgisinternal loop
        execute format('alter table things enable always trigger %I', made.tgname);
      end loop;
    end $$; commit`)
  await until(async () => (await replica.read('a')).startsWith('restored'), {
    describe: 'what was restored is answered',
  })
  t.equal(replica.identities, 2)
})
