import pg from 'pg'
import t, { type Test } from 'tap'
import { createJournal, installJournal, type SqlRunner } from '../../../../services/cache/index.js'
import { journalScene, TABLES } from '../../../helpers/cache/journal-scene.js'
import { until } from '../../../helpers/deadline.js'
import { startPostgres } from '../../../helpers/servers/postgres.js'

const server = await startPostgres({ max_prepared_transactions: '2' })
t.teardown(() => server.stop())

const setUp = (t: Test) => journalScene(t, server)

t.test('what makes it another history makes it another identity', async (t) => {
  const { query, tail } = await setUp(t)
  let last = (await tail()).identity
  const changes: Record<string, string[]> = {
    'a truncated table': ['truncate things'],
    'a truncated journal': ['truncate cache_journal'],
    'a rewritten table': ['alter table things alter note type varchar(80) using note || $$$$'],
    'a column that was added': ['alter table things add more text default 5'],
    'a table that was dropped and restored': [
      'drop table things',
      'create table things (id integer primary key, owner text, note text)',
    ],
    'triggers off and on around a change': [
      'alter table things disable trigger all',
      `insert into things values (9, 'u')`,
      'alter table things enable trigger all',
    ],
  }
  for (const [name, texts] of Object.entries(changes)) {
    for (const text of texts) await query(text)
    await query('select 1')
    const answer = await tail().catch((error: Error) => error.message)
    if (typeof answer === 'string')
      t.match(answer, /not there or not "enable always".* on things/, `${name}: ${answer}`)
    await installJournal({ query: async (text: string) => ({ rows: await query(text) }) }, TABLES)
    const { identity } = await tail()
    t.not(identity, last, name)
    last = identity
  }
})

t.test(
  'an empty, doubled or foreign state is made anew, with a new epoch, and not while a prepared transaction is open',
  async (t) => {
    const { journal, query, tail } = await setUp(t)
    const breaks = [
      'delete from cache_journal_state',
      'insert into cache_journal_state select * from cache_journal_state',
      `insert into cache_journal values ('999999999', array['from another server'])`,
      `update cache_journal_state set pruned = '999999:999999:'`,
      `update cache_journal_state set marks = array['999999:999999:']::pg_snapshot[], marked_at = array[now()]`,
    ]
    for (const text of breaks) {
      const { identity } = await tail()
      await query(text)
      t.match((await journal.tail(undefined, undefined)).fault, /made anew/, text)
      t.not((await tail()).identity, identity)
      t.same(await query('select count(*)::integer as n from cache_journal_state'), [{ n: 1 }])
      t.same(await query('select * from cache_journal'), [])
    }
    await query('begin; insert into things values (1, $$u$$); prepare transaction $$p$$')
    await query('delete from cache_journal_state')
    t.match((await journal.tail(undefined, undefined)).fault, /a prepared transaction is open/)
    await query('rollback prepared $$p$$')
    t.ok((await tail()).identity)
  },
)

t.test('of replicas that find it broken at one time one makes it anew, the others leave that in place', async (t) => {
  const { journal, query, tail, pool } = await setUp(t)
  await tail()
  await query(`create table made (epoch uuid);
    create function note_made() returns trigger language plpgsql as $$
      begin insert into public.made values (new.epoch); return null; end $$;
    create trigger note_made after insert on cache_journal_state for each row execute function note_made()`)
  await query('delete from cache_journal_state')
  const holder = await pool.connect()
  await holder.query('begin; lock table cache_journal_state in share mode')
  const asked = [1, 2, 3].map(() => journal.tail(undefined, undefined))
  const waiting = () => query("select from pg_locks where not granted and mode = 'ExclusiveLock'")
  await until(async () => (await waiting()).length === asked.length, { describe: 'all wait' })
  await holder.query('commit')
  holder.release()
  await Promise.all(asked)
  t.same(await query('select epoch from made'), await query('select epoch from cache_journal_state'))
})

t.test('a backend that is killed takes the server down: the journal is empty, and made anew', async (t) => {
  const { query, tail, pool } = await setUp(t)
  const before = await tail()
  await query(`insert into things values (1, 'u')`)
  const [backend] = await query('select pg_backend_pid() as pid')
  process.kill(Number(backend?.['pid']), 'SIGKILL')
  // Until the server has seen it, the other connections are served as before.
  const isEmptied = async () =>
    pool.query('select from cache_journal').then(
      ({ rowCount }) => rowCount === 0,
      () => false,
    )
  await until(isEmptied, { timeoutMs: 20_000, describe: 'Postgres has recovered' })
  const after = await tail()
  t.not(after.identity, before.identity)
  t.same(await query('select * from cache_journal'), [])
  t.same(await query('select id from things'), [{ id: 1 }])
})

t.test('a restarted server is another identity, with the journal in place', async (t) => {
  const { query, tail } = await setUp(t)
  const before = await tail()
  await query(`insert into things values (1, 'u')`)
  await server.restart()
  const again = async () =>
    query('select 1').then(
      () => true,
      () => false,
    )
  await until(again, { timeoutMs: 20_000, describe: 'Postgres is back' })
  t.not((await tail()).identity, before.identity)
  t.equal((await query('select * from cache_journal')).length, 1)
})

t.test('a journal from elsewhere that is long is made anew in steps, and is broken until the last', async (t) => {
  const { query, pool } = await setUp(t)
  const asked: string[] = []
  const tail: SqlRunner = {
    async query(text, values) {
      asked.push(/_(tail|renew)\(/.exec(text)?.[1] ?? text)
      const answer = await pool.query(text, values)
      if (asked.at(-1) === 'renew')
        left.push(Number((await query('select count(*) as n from cache_journal'))[0]?.['n']))
      return answer
    },
  }
  const left: number[] = []
  const journal = createJournal({ sql: pool, tail, tables: TABLES })
  await journal.tail(undefined, undefined)
  await query(
    `insert into cache_journal select (900000000 + n)::text::xid8, array['from another server'] from generate_series(1, 450000) n`,
  )
  asked.length = left.length = 0
  t.match((await journal.tail(undefined, undefined)).fault, /made anew/)
  t.same(asked, ['tail', 'renew', 'renew', 'renew'])
  t.same(left, [250_000, 50_000, 0])
  t.equal((await journal.tail(undefined, undefined)).fault, undefined)
})

t.test('a step of making it anew that took too long leaves it broken, and the next tail goes on', async (t) => {
  const { query, tail, pool } = await setUp(t)
  await tail()
  const hasty = new pg.Pool({ ...pool.options, query_timeout: 50 })
  t.teardown(() => hasty.end())
  for (const tooLong of [
    () => pool.query('set local statement_timeout = 50; select pg_sleep(10)'),
    () => hasty.query('select pg_sleep(1)'),
  ]) {
    await query('delete from cache_journal_state')
    let left = 1
    const busy: SqlRunner = {
      query: async (text, values) => (text.includes('_renew(') && left-- > 0 ? tooLong() : pool.query(text, values)),
    }
    const journal = createJournal({ sql: pool, tail: busy, tables: TABLES })
    t.match(await journal.tail(undefined, undefined), { identity: undefined, fault: /took too long/ })
    t.match((await journal.tail(undefined, undefined)).fault, /made anew/)
    t.equal((await journal.tail(undefined, undefined)).fault, undefined)
  }
})
