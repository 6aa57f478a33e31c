import pg from 'pg'
import t, { type Test } from 'tap'
import { createJournal, installJournal, type SqlRunner } from '../../../../services/cache/index.js'
import { install, journalScene, TABLES, tagsOf } from '../../../helpers/cache/journal-scene.js'
import { startPostgres } from '../../../helpers/servers/postgres.js'
import { Seeded } from '../../../helpers/seeded.js'

const server = await startPostgres()
t.teardown(() => server.stop())

const setUp = (t: Test, options?: { readonly mostTags?: number }) => journalScene(t, server, options)

t.test('a tail brings what was committed since the one before, each change once', async (t) => {
  const { pool, query, tail } = await setUp(t)
  let last = await tail()
  t.same(last.changes, [])
  const open = await pool.connect()
  await open.query('begin')
  await open.query(`insert into things values (1, 'u')`)
  await query(`insert into things values (2, 'u')`)
  let next = await tail(last.snapshot, last.identity)
  t.equal(next.from, last.snapshot)
  t.same(tagsOf(next), ['u/things', 'u/things/2'])
  last = next
  await query(`insert into things values (3, 'u')`)
  await open.query('commit')
  open.release()
  next = await tail(last.snapshot, last.identity)
  t.same(tagsOf(next), ['u/things', 'u/things', 'u/things/1', 'u/things/3'])
  t.same((await tail(next.snapshot, next.identity)).changes, [])
})

t.test(
  'whatever overlaps, rolls back, saves points and stays open: all that was committed comes exactly once',
  async (t) => {
    const { pool, tail } = await setUp(t)
    const seeded = new Seeded(20_261_125)
    const clients = await Promise.all(Array.from({ length: 6 }, () => pool.connect()))
    const isOpen = clients.map(() => false)
    const pending = clients.map((): number[] => [])
    const committed: number[] = []
    const brought: number[] = []
    let last = await tail()
    const take = async (): Promise<void> => {
      last = await tail(last.snapshot, last.identity)
      brought.push(
        ...tagsOf(last)
          .flatMap((tag) => /\/things\/(\d+)$/.exec(tag)?.[1] ?? [])
          .map(Number),
      )
    }
    for (let id = 1; id <= 1_200; id++) {
      const n = seeded.below(clients.length)
      const client = clients[n]!
      if (!isOpen[n]) {
        await client.query('begin')
        isOpen[n] = true
      }
      const write = `insert into things values (${id}, 'u')`
      const kind = seeded.below(10)
      if (kind < 5) {
        await client.query(write)
        pending[n]!.push(id)
      } else if (kind === 5) await client.query(`savepoint s; ${write}; rollback to savepoint s`)
      else if (kind === 6) {
        await client.query(`savepoint s; ${write}; release savepoint s`)
        pending[n]!.push(id)
      } else if (kind === 7) {
        await client.query('rollback')
        isOpen[n] = false
        pending[n] = []
      } else {
        await client.query('commit')
        isOpen[n] = false
        committed.push(...pending[n]!.splice(0))
      }
      if (seeded.below(4) === 0) await take()
    }
    for (const client of clients) {
      await client.query('rollback')
      client.release()
    }
    await take()
    t.ok(committed.length > 100)
    t.same(
      brought.toSorted((a, b) => a - b),
      committed.toSorted((a, b) => a - b),
    )
  },
)

t.test('a start begins at the least mark from which not too much is to be read', async (t) => {
  const { journal, query, tail } = await setUp(t, { mostTags: 20 })
  await tail()
  await journal.mark(0)
  const [first] = await query('select marks[1]::text as mark from cache_journal_state')
  for (let id = 1; id <= 5; id++) await query(`insert into things values (${id}, 'u')`)
  let start = await tail()
  t.equal(start.from, first?.['mark'])
  t.equal(start.changes?.length, 5)
  await journal.mark(0)
  for (let id = 6; id <= 11; id++) await query(`insert into things values (${id}, 'u')`)
  start = await tail()
  t.not(start.from, first?.['mark'], 'from the first there are 22 tags')
  t.equal(start.changes?.length, 6)
  for (let id = 12; id <= 23; id++) await query(`insert into things values (${id}, 'u')`)
  start = await tail()
  t.equal(start.from, start.snapshot, 'from no mark')
  t.same(start.changes, [])
  const late = await tail(String(first?.['mark']), start.identity)
  t.equal(late.changes, undefined, 'too much for who has been away')
})

t.test('a mark is taken only when something has changed since the last one', async (t) => {
  const { journal, query, tail } = await setUp(t)
  await tail()
  const marks = async () => Number((await query('select cardinality(marks) as n from cache_journal_state'))[0]?.['n'])
  await journal.mark(0)
  await journal.mark(0)
  t.equal(await marks(), 1)
  await query(`insert into things values (1, 'u')`)
  await journal.mark(60_000)
  t.equal(await marks(), 1, 'the last one is too young')
  await journal.mark(0)
  t.equal(await marks(), 2)
})

t.test('a prune deletes what its mark sees, and who comes from before it starts anew', async (t) => {
  const { pool, journal, query, tail } = await setUp(t)
  const start = await tail()
  for (let id = 1; id <= 12_000; id++)
    if (id % 4_000 === 0)
      await query(`insert into cache_journal (tags) select array['x'] from generate_series(1, 4000)`)
  const open = await pool.connect()
  await open.query('begin')
  await open.query(`insert into things values (1, 'u')`)
  await query(`insert into things values (2, 'u')`)
  await journal.mark(0)
  await query(`insert into things values (3, 'u')`)
  await Promise.all([journal.prune(0), journal.prune(0)])
  t.same(
    await query('select tags[1] as tag from cache_journal'),
    [{ tag: 'u/things' }],
    'two at once leave nothing behind',
  )
  await open.query('commit')
  open.release()
  const anew = await tail(start.snapshot, start.identity)
  t.not(anew.from, start.snapshot)
  t.same(tagsOf(anew), ['u/things', 'u/things', 'u/things/1', 'u/things/3'])
  const [state] = await query(
    'select pruned::text = deleted::text as same, cardinality(marks) as marks from cache_journal_state',
  )
  t.same(state, { same: true, marks: 1 })
  await journal.mark(0)
  t.equal(await journal.prune(0), 2)
  t.same(await query('select * from cache_journal'), [])
  t.equal(await journal.prune(0), 0)
})

t.test('a step of a prune reads what there is to remove, however long the journal is', async (t) => {
  const { journal, query, tail } = await setUp(t)
  await tail()
  await journal.mark(0)
  await query('select cache_touch(array[$$a$$])')
  t.equal(await journal.prune(0), 0)
  for (let n = 0; n < 20; n++)
    await query(`insert into cache_journal (tags) select array['a'] from generate_series(1, 2000)`)
  await query('analyze cache_journal')
  const [remove] = await query(`select proname as name from pg_proc where proname ~ '^cache_.*_remove$'`)
  const lines = await query(`explain (analyze, buffers) select ${String(remove?.['name'])}('5000')`)
  const text = lines.map((line) => String(line['QUERY PLAN'])).join('\n')
  const [, blocks] = /Buffers: shared hit=(\d+)/.exec(text) ?? []
  t.ok(Number(blocks) < 100, text)
})

t.test('an announcement of one’s own: touch raises tags in a transaction, and gives its id', async (t) => {
  const { journal, tail } = await setUp(t)
  const before = await tail()
  const id = await journal.touch(['a', '*'])
  t.same((await tail(before.snapshot, before.identity)).changes, [{ transaction: id, tags: ['a', '*'] }])
})

t.test('what is no tag is left out, whoever wrote it into the journal', async (t) => {
  const { query, tail, journal } = await setUp(t)
  const before = await tail()
  await query(`select cache_touch(array['a', null])`)
  await query(`select cache_touch(array[array['b'], array['c']])`)
  await query(
    `insert into cache_journal (tags) values (array['d', null]), (array[array['e'], array[null]]), ('{}'), (null::text[] || 'f'::text)`,
  )
  t.same(await query(`select cache_touch(array[null]::text[]) as id`), [{ id: null }], 'nothing is no change')
  t.same(tagsOf(await tail(before.snapshot, before.identity)), ['a', 'b', 'c', 'd', 'e', 'f'])
  t.equal(await journal.touch([]), -1)
})

t.test('rows without tags count as well: none is left out because there are too many of them', async (t) => {
  const { query, tail } = await setUp(t, { mostTags: 5 })
  const before = await tail()
  await query(`insert into cache_journal (tags) select '{}' from generate_series(1, 7)`)
  await query(`select cache_touch(array['a'])`)
  t.equal((await tail(before.snapshot, before.identity)).changes, undefined)
  const start = await tail()
  t.same([start.from, start.changes], [start.snapshot, []])
})

/** A way to the database on which a tail that may bring more than so many tags is ended by the server. */
function slowFor(pool: pg.Pool, most: number): SqlRunner {
  return {
    async query(text, values = []) {
      if (!/_tail\(/.test(text) || Number(values[2]) <= most) return pool.query(text, values)
      const client = await pool.connect()
      try {
        await client.query('begin; set local statement_timeout = 20')
        return await client.query('select pg_sleep(10)')
      } finally {
        await client.query('rollback')
        client.release()
      }
    },
  }
}

t.test(
  'after a tail that took too long the next one may bring less: it is not asked for again and again',
  async (t) => {
    const { pool, query } = await setUp(t)
    const journal = createJournal({ sql: pool, tail: slowFor(pool, 7_000), tables: TABLES, mostTags: 100_000 })
    await journal.tail(undefined, undefined)
    const start = await journal.tail(undefined, undefined)
    t.same(start.changes, [], 'a start is answered at once')
    await query(`insert into cache_journal (tags) select array['a', 'b'] from generate_series(1, 10000)`)
    for (const attempt of [1, 2]) {
      await t.rejects(journal.tail(start.snapshot, start.identity), { code: '57014' }, `attempt ${attempt}`)
    }
    const next = await journal.tail(start.snapshot, start.identity)
    t.equal(next.changes, undefined, 'what is too much is unknown then, and that is news enough')
    t.equal(next.identity, start.identity)
    await t.rejects(journal.tail(next.snapshot, next.identity), { code: '57014' }, 'it asks for all again afterwards')
  },
)

t.test(
  'a journal without its tables, with children, or with a trigger off is not relied on, and says why',
  async (t) => {
    const { journal, query } = await setUp(t)
    await journal.tail(undefined, undefined)
    const fault = async () => (await journal.tail(undefined, undefined)).fault
    t.equal(await fault(), undefined)
    await query('alter table things rename to others')
    t.match(await fault(), /things is missing/)
    await query('alter table others rename to things')
    await query('create table child () inherits (things)')
    t.match(await fault(), /things has child tables/)
    await query('drop table child')
    const found = await query(`select tgname, tgenabled as fires from pg_trigger where tgname ~ '^cache_'`)
    const names = found.map(({ tgname }) => String(tgname))
    for (const [at, name] of names.entries()) {
      const says = new RegExp(`^not there or not "enable always": ${name} on things: run the migrations again$`)
      for (const how of ['disable', 'enable', 'enable replica']) {
        await query(`alter table things ${how} trigger ${name}`)
        const isMeant = how === 'enable replica' && found[at]?.['fires'] === 'R'
        t.match(await fault(), isMeant ? undefined : says, how)
      }
      await query(`alter table things enable always trigger ${name}`)
    }
    t.equal(await fault(), undefined)
    const [name = ''] = names
    await query(`alter trigger ${name} on things rename to other`)
    t.match(await fault(), new RegExp(`${name} on things`))
    await query(`create function nothing() returns trigger language plpgsql as 'begin return null; end'`)
    await query(`alter trigger other on things rename to ${name}`)
    await query(`create trigger ${name}_of_somebody after insert on things execute function nothing()`)
    t.equal(await fault(), undefined)
  },
)

t.test('a release puts its own beside those of others, which are taken away a day after it', async (t) => {
  const { pool, query, tail } = await setUp(t)
  const sets = async () =>
    Number((await query(`select count(*) as n from pg_trigger where tgname ~ '^cache_.*after_insert$'`))[0]?.['n'])
  t.equal(await sets(), 1)
  await install(pool)
  t.equal(await sets(), 1, 'what is there is left alone')
  await install(pool, [{ ...TABLES[0]!, list: 'all things' }])
  t.equal(await sets(), 2)
  await query(`insert into things values (1, 'u')`)
  t.equal((await query('select * from cache_journal')).length, 2, 'two journal rows do no harm')
  await install(pool, [{ ...TABLES[0]!, list: 'every thing' }])
  t.equal(await sets(), 3)
  t.ok((await tail()).identity, 'the first one still serves, also when the deployment after it failed')
  const age = (days: number) =>
    query(`do $$ declare old record; begin
      for old in select oid::regprocedure as name, obj_description(oid, 'pg_proc') as note from pg_proc
        where proname ~ '^cache_.*_tail$' and obj_description(oid, 'pg_proc') is not null loop
        execute format('comment on function %s is %L', old.name, regexp_replace(old.note, 'since .*$',
          to_char(now() at time zone 'UTC' - interval '${days} days', '"since "YYYY-MM-DD"T"HH24:MI:SS"Z"')));
      end loop; end $$`)
  await age(0.9)
  await install(pool)
  t.equal(await sets(), 3, 'it is installed again, and wanted')
  await age(1.1)
  await install(pool, [{ ...TABLES[0]!, list: 'all things' }])
  t.equal(await sets(), 3, 'what another release noted a day ago may be the one that serves')
  await install(pool)
  t.equal(await sets(), 3, 'nor does it drop what was noted meanwhile by another')
  await age(1.1)
  const reading = await pool.connect()
  await reading.query('begin; select * from things')
  await install(pool)
  t.equal(await sets(), 3, 'nobody is waited for')
  await reading.query('commit')
  reading.release()
  await install(pool)
  t.equal(await sets(), 1)
  t.ok((await tail()).identity)
  t.equal((await query(`select from pg_proc where proname ~ '^cache_.*_raise_things$'`)).length, 1)
})

t.test(
  'functions run with their owner’s rights are nobody’s to call, and look nothing up where callers may put things',
  async (t) => {
    const { query, url } = await setUp(t)
    await query(`drop role if exists tenant`)
    await query(
      `create role tenant login; grant usage, create on schema public to tenant; grant all on things to tenant`,
    )
    const tenant = new pg.Client({ connectionString: url.replace(/\/\/[^@/]*@?/, '//tenant@') })
    await tenant.connect()
    await t.rejects(tenant.query(`select cache_touch(array['*'])`), /permission denied/)
    await t.rejects(tenant.query(`insert into cache_journal (tags) values ('{}')`), /permission denied/)
    await query(`grant create on database ${new URL(url).pathname.slice(1)} to tenant`)
    await tenant.query(
      `create schema mine; create table mine.cache_journal (tags text[], changed_in xid8); set search_path = mine, public`,
    )
    await tenant.query(`insert into public.things values (1, 'u')`)
    t.same((await tenant.query('select * from mine.cache_journal')).rows, [])
    t.equal((await query('select * from cache_journal')).length, 1)
    await tenant.end()
    await query('drop owned by tenant cascade; drop role tenant')
  },
)

t.test('PGlite fits as it is', async (t) => {
  const { PGlite } = await import('@electric-sql/pglite')
  const pglite = await PGlite.create()
  t.teardown(() => pglite.close())
  await pglite.exec('create table things (id integer primary key, owner text, note text)')
  await pglite.transaction((transaction) => installJournal(transaction as SqlRunner, TABLES))
  const journal = createJournal({ sql: pglite, tables: TABLES })
  await journal.tail(undefined, undefined)
  const start = await journal.tail(undefined, undefined)
  t.ok(start.identity)
  await journal.mark(0)
  await pglite.query(`insert into things values (1, 'u')`)
  await pglite.query(`update things set note = 'x'`)
  const next = await journal.tail(start.snapshot, start.identity)
  t.same(tagsOf(next), ['u/things', 'u/things', 'u/things/1', 'u/things/1'])
  await journal.mark(0)
  t.equal(await journal.prune(0), 2)
})

t.test('what a replica follows stays, also that of another service in the same schema', async (t) => {
  const { pool, query, journal, tail } = await setUp(t)
  await query('create table others (id integer primary key)')
  const others = [{ table: 'others', row: 'others/{id}', list: 'others', owner: 'all' }]
  for (let days = 0; days < 3; days++) {
    await install(pool, others)
    await journal.mark(0)
    await query(`do $$ declare old record; begin
      for old in select oid::regprocedure as name, obj_description(oid, 'pg_proc') as note from pg_proc
        where obj_description(oid, 'pg_proc') ~ '^Not wanted by cache_' loop
        execute format('comment on function %s is %L', old.name, regexp_replace(old.note, 'since 20..', 'since 2020'));
      end loop; end $$`)
  }
  t.ok((await tail()).identity)
})
