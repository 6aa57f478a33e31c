import pg from 'pg'
import t from 'tap'
import { type CachedTable, installJournal, missingTag } from '../../../../services/cache/index.js'
import { Seeded } from '../../../helpers/seeded.js'
import { sharedPostgres } from '../../../helpers/servers/shared-servers.js'

const server = await sharedPostgres(t)
const client = new pg.Client(await server.createDatabase())
await client.connect()
t.teardown(() => client.end())

const SHOPS: CachedTable = { table: 'shops', row: 's{id}', list: [], owner: 's{id}/all' }
const THINGS: CachedTable = {
  table: 'things',
  row: 't{id}',
  list: 's{shop}/things',
  owner: 's{shop}/all',
  listColumns: ['rank', 'shop'],
  byColumn: { price: 's{shop}/things/by/price' },
  version: 'version',
  updatedAt: 'updated_at',
  generated: ['upper_note'],
}

await client.query(`
  create table shops (id integer primary key, name text);
  create table things (
    id integer primary key, shop integer references shops on delete cascade, other integer references things on delete set null,
    note text, rank integer, price numeric, version bigint not null default 1, updated_at timestamptz not null default '2020-01-01',
    upper_note text generated always as (upper(note)) stored);
  create index on things (other);
  insert into shops select n, 'shop' from generate_series(1, 100) n`)
await client.query('begin')
await installJournal(client, [SHOPS, THINGS])
await client.query('commit')

/** Runs statements, and says which tags each journal row of theirs has. */
async function raisedBy(...texts: string[]): Promise<string[][]> {
  await client.query('truncate cache_journal')
  for (const text of texts) await client.query(text)
  const { rows } = await client.query<{ tags: string[] }>('select tags from cache_journal order by ctid')
  return rows.map(({ tags }) => tags.toSorted())
}

function sorted(rows: readonly string[][]): string[][] {
  return rows.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
}

async function versionOf(id: number): Promise<{ version: string; moved: boolean }> {
  const text = `select version, updated_at > '2021-01-01' as moved from things where id = $1`
  return (await client.query(text, [id])).rows[0]
}

t.test('an insert raises its rows and their lists', async (t) => {
  t.same(await raisedBy(`insert into things (id, shop) values (1, 1), (2, 1), (3, 2)`), [
    ['s1/things', 's2/things', 't1', 't2', 't3'],
  ])
  t.same(await raisedBy(`insert into things (id, shop) values (1, 1) on conflict do nothing`), [])
  t.same(await raisedBy(`insert into things (id, shop) values (1, 1) on conflict (id) do update set note = 'x'`), [
    ['t1'],
  ])
})

t.test('an update raises the rows that it changes, and lists only for what decides them', async (t) => {
  t.same(await raisedBy(`update things set note = 'y' where shop = 1`), [['t1', 't2']])
  t.same(await raisedBy(`update things set rank = 5 where id = 1`), [['s1/things', 't1']])
  t.same(await raisedBy(`update things set rank = id where id in (1, 2)`), [['s1/things', 't1', 't2']])
  t.same(
    await raisedBy(`update things set shop = 3 where id = 3`),
    [['s2/things', 's3/things', 't3']],
    'owners old and new',
  )
  t.same(
    await raisedBy(`update things set id = 30 where id = 3`),
    [['s3/things', 't3', 't30']],
    'an id that changes is two rows',
  )
  t.same(await raisedBy(`update things set note = note`, `update things set note = 'n' where false`), [])
})

t.test('what one column decides about is raised when an update changes that one', async (t) => {
  t.same(await raisedBy(`update things set price = 2, note = 'z' where id in (1, 2)`), [
    ['s1/things/by/price', 't1', 't2'],
  ])
  t.same(await raisedBy(`update things set note = 'zz' where id = 1`), [['t1']])
  t.same(
    await raisedBy(`update things set shop = 4, price = 3 where id = 1`, `update things set shop = 1 where id = 1`),
    [
      ['s1/things', 's1/things/by/price', 's4/things', 's4/things/by/price', 't1'],
      ['s1/things', 's4/things', 't1'],
    ],
  )
})

t.test('a row that changes alone raises what it raises among others', async (t) => {
  await client.query(`insert into things (id, shop, note, rank, price) values (40, 40, 'a', 1, 1), (41, 41, 'a', 1, 1)`)
  const values: Readonly<Record<string, readonly string[]>> = {
    note: [`'a'`, `'b'`, 'null'],
    rank: ['1', '2', 'null'],
    price: ['1', '1.0', '2', 'null'],
    shop: ['40', '40', '40', '42', 'null'],
  }
  const seeded = new Seeded(1)
  for (let n = 0; n < 100; n++) {
    const changes = Object.keys(values).map((name) => [name, seeded.below(2) === 0 ? name : seeded.pick(values[name]!)])
    const alone = changes.map(([name, value]) => `${name} = ${value}`).join(', ')
    // The other one changes what raises its own tag and nothing else.
    const among = changes.map(
      ([name, value]) => `${name} = case when id = 40 then ${value} else ${name === 'note' ? `'${n}'` : name} end`,
    )
    await client.query('begin')
    const [tags = []] = await raisedBy(`update things set ${among.join(', ')} where id in (40, 41)`)
    await client.query('rollback')
    const expected = tags.filter((tag) => tag !== 't41')
    t.same(await raisedBy(`update things set ${alone} where id = 40`), expected.length === 0 ? [] : [expected], alone)
  }
})

t.test('changed is by bytes: an equal value that reads differently counts', async (t) => {
  await client.query(`update things set price = 1.0 where id = 1`)
  t.same(await raisedBy(`update things set price = 1.00 where id = 1`), [['s1/things/by/price', 't1']])
  t.same(await raisedBy(`update things set price = 1.00 where id = 1`), [])
})

t.test('the database owns version and updated_at: they move with the content and never else', async (t) => {
  await client.query(`insert into things (id, shop, note) values (50, 5, 'a')`)
  t.same(await versionOf(50), { version: '1', moved: false })
  await client.query(`update things set version = 99, updated_at = now(), note = 'a' where id = 50`)
  t.same(await versionOf(50), { version: '1', moved: false })
  await client.query(`update things set version = 99, note = 'b' where id = 50`)
  t.same(await versionOf(50), { version: '2', moved: true })
  await client.query(`update things set note = 'c' where id = 50`)
  t.same((await versionOf(50)).version, '3')
})

t.test('deletes and cascades raise what they take away, and what loses a reference', async (t) => {
  await client.query(`insert into things (id, shop, other) values (60, 90, null), (61, 90, 60)`)
  t.same(sorted(await raisedBy(`delete from things where id = 60`)), [['s90/things', 't60'], ['t61']])
  t.same((await versionOf(61)).version, '2')
  t.same(sorted(await raisedBy(`delete from shops where id = 90`)), [['s90'], ['s90/things', 't61']])
})

t.test(
  'up to fifty tags are named; above, the owners’ and the missing rows’; above fifty owners, everything',
  async (t) => {
    const insert = (from: number, to: number, shop: string) =>
      `insert into things (id, shop) select n, ${shop} from generate_series(${from}, ${to}) n`
    t.equal((await raisedBy(insert(1_001, 1_049, '7')))[0]?.length, 50)
    t.same(await raisedBy(insert(1_101, 1_150, '7')), [[missingTag('things'), 's7/all']])
    t.same((await raisedBy(insert(1_201, 1_260, 'n - 1200')))[0], ['*'])
    t.equal((await raisedBy(insert(1_301, 1_350, 'n - 1300')))[0]?.length, 51, 'fifty owners')
    t.same(await raisedBy(`update things set note = 'many' where shop = 7`), [[missingTag('things'), 's7/all']])
    t.same(await raisedBy(insert(10_000, 59_999, '8')), [[missingTag('things'), 's8/all']])
    t.same(await raisedBy(`delete from things where id >= 10000`), [[missingTag('things'), 's8/all']])
  },
)

t.test('whoever writes: COPY, MERGE, replication’s role, a savepoint that is rolled back', async (t) => {
  t.same(
    await raisedBy('begin', `savepoint s`, `insert into things (id, shop) values (70, 9)`, 'rollback to s', 'commit'),
    [],
  )
  t.same(
    await raisedBy(`merge into things using (values (70), (71)) v (id) on things.id = v.id
      when matched then update set note = 'm' when not matched then insert (id, shop) values (v.id, 9)`),
    [['s9/things', 't70', 't71']],
  )
  t.same(
    await raisedBy('set session_replication_role = replica', `update things set note = 'r' where id = 70`),
    [['s9/things', 't70'], ['t70']],
    'by the trigger for what other servers have changed, too',
  )
  await client.query('set session_replication_role = origin')
  t.same(await raisedBy(`copy things (id, shop) from program 'echo "80\t9"'`), [['s9/things', 't80']])
})

t.test('a tag with a null in it is not raised', async (t) => {
  t.same(await raisedBy(`insert into things (id) values (90)`), [['t90']])
})

t.test('many rows of which some are nobody’s raise everything: their own tags are too many', async (t) => {
  const insert = `insert into things (id, shop) select n, case when n > 300 then 9 end from generate_series(300, 399) n`
  const texts = [
    insert,
    `update things set note = 'n' where id between 300 and 399`,
    `delete from things where id between 300 and 399`,
  ]
  for (const text of texts) t.same(await raisedBy(text), [['*']], text)
})

t.test('beside triggers that raise fewer lists those of another release go on raising theirs', async (t) => {
  const { listColumns: _, byColumn: __, ...others } = THINGS
  await client.query('begin')
  await installJournal(client, [SHOPS, { ...others, list: 's{shop}/copies' }])
  await client.query('commit')
  await client.query(`insert into things (id, shop) values (200, 20)`)
  t.same(sorted(await raisedBy(`update things set note = 'both' where id = 200`)), [['s20/copies', 't200'], ['t200']])
})
