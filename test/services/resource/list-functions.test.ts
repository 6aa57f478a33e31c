import t, { type Test } from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase, type Queryable } from '../../../services/database/index.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

/** Every character of two bytes but the byte order mark, which a driver leaves out; 1,000 in a text. Above, releases know more and more of them. */
const ALL = `select string_agg(list_fold(array[texts])::text || list_words(list_fold(array[texts]))::text || list_key(list_fold(array[texts])), '' order by part) as all
  from (select n / 1000 as part, string_agg(chr(n), ' ' order by n) as texts from generate_series(1, 65535) n
    where n not between 55296 and 57343 and n <> 65279 group by 1) as parts`

async function valueOf<Value>(database: Queryable, sql: string, ...values: unknown[]): Promise<Value | undefined> {
  const [row] = await database.query<{ value: Value }>({ name: 'test', text: `select ${sql} as value`, values })
  return row?.value
}

t.test('the functions under the indexes answer the same on every server', async (t) => {
  const postgres = await sharedPostgres(t)
  const embedded = await openDatabase({ dataDir: await preparedPgliteDir() })
  const server = await openDatabase({ url: await postgres.createDatabase(), dataDir: '' })
  t.teardown(() => Promise.all([embedded.close(), server.close()]))
  await migrate(server, cachedTables)
  const [a, b] = [await valueOf<string>(embedded, `(${ALL})`), await valueOf<string>(server, `(${ALL})`)]
  t.ok((a?.length ?? 0) > 150_000)
  t.ok(a === b, 'for every character')
  for (const [name, database] of Object.entries({ embedded, server })) {
    await t.test(name, (t) => functions(t, database))
  }
})

async function functions(t: Test, database: Queryable): Promise<void> {
  await t.test('letters of alphabets that have two cases are one letter', async (t) => {
    const unlike: string[] = []
    for (let code = 0x41; code < 0x590; code += 1) {
      const [capital, small] = [String.fromCodePoint(code), String.fromCodePoint(code).toLowerCase()]
      if (small === capital || small.length > 1) continue
      const isOne = await valueOf<boolean>(
        database,
        'list_fold(array[$1::text]) = list_fold(array[$2::text])',
        capital,
        small,
      )
      if (isOne !== true) unlike.push(capital)
    }
    t.same(unlike, [])
  })

  await t.test('an array keeps its items, whatever is in them', async (t) => {
    const items = ['a,b', '{c}', '"d"', 'e\\', 'NULL', '', ' f ', "g'", 'É', '\u0301x', 'i\u0001j', '\u212a']
    const folded = ['a,b', '{c}', '"d"', 'e\\', 'null', '', ' f ', "g'", 'e\u0301', '\u0301x', 'i\u0001j', 'k']
    t.same(await valueOf(database, 'list_fold($1::text[])', items), folded)
    t.same(await valueOf(database, `list_fold('{A,NULL}')`), ['a', null])
    t.same(await valueOf(database, `list_fold('{}')`), [])
  })

  await t.test('long and odd texts become terms, and nothing fails', async (t) => {
    const owner = '01a2069f-4382-76fe-94e2-50d41d9cb575'
    const terms = `list_terms('${owner}', list_words(list_fold(array[$1::text])), list_facets('x', list_fold(array[$1::text])))`
    for (const text of [
      'x'.repeat(5_000),
      'é'.repeat(5_000),
      '猫'.repeat(5_000),
      'a '.repeat(2_500),
      '!',
      "'\\:*&|",
      '\u0001',
      'МОСКВА '.repeat(700),
    ]) {
      t.equal(await valueOf(database, `${terms} is not null`, text), true, text.slice(0, 10))
      const found = `list_all('${owner}', list_words(list_fold(array[left($1::text, 200)])), '{}')`
      t.equal(await valueOf(database, `coalesce(${terms} @@ ${found}, true)`, text), true, text.slice(0, 10))
    }
    t.equal(await valueOf(database, `list_all('${owner}', '{}', '{}')`), null)
    t.equal(await valueOf(database, `list_any('${owner}', '{}')`), null)
    t.equal(await valueOf(database, `list_terms('${owner}', '{}', '{NULL}') = ''`), true)
  })
}
