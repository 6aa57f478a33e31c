import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase, type Queryable } from '../../../services/database/index.js'
import { termsOf } from '../../../services/resource/lists/terms.js'
import { preparedPgliteDir } from '../../helpers/pglite.js'
import { Seeded } from '../../helpers/seeded.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

/** Every character of two bytes but the byte order mark, which a driver leaves out; 1,000 in a text. Above, releases know more and more of them. */
const ALL = `select string_agg(list_fold(array[texts])::text || list_words_2(list_fold(array[texts]))::text || list_key(list_fold(array[texts])), '' order by part) as all
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

/** A migration's function as it was, under another name. */
function asBefore(file: string, name: string): string {
  const text = readFileSync(join(import.meta.dirname, '../../../services/database/migrations', file), 'utf8')
  const [found] = new RegExp(`create function ${name}\\([\\s\\S]*?end \\$\\$`).exec(text) ?? []
  if (found === undefined) throw new Error(`${file} makes no ${name}`)
  return found.replace(`function ${name}(`, `function before_${name}(`)
}

/** Texts of words and of what parts them, short and long, with what an index must not confuse. */
function someTexts(seeded: Seeded): string[] {
  const parts = [
    'a',
    'fox',
    '0',
    'é',
    'e\u0301',
    'ß',
    '한',
    '𠀀',
    '\ufe0f',
    '\u0300',
    '\u00a0',
    '\u2003',
    '\u0001',
    '\u007f',
  ]
  const between = [' ', '  ', '.', ', ', '-', '/', '\t', '\n', "'", '\\', '{', '"', '€', '·', '\u3000', '']
  return Array.from({ length: seeded.below(4) }, () => {
    const word = (): string => seeded.pick(parts).repeat(seeded.pick([1, 1, 1, 3, 90, 260, 520]))
    return Array.from(
      { length: seeded.below(9) },
      () => word() + seeded.pick(between).repeat(seeded.pick([1, 1, 2, 600])),
    ).join('')
  })
}

async function functions(t: Test, database: Queryable): Promise<void> {
  await t.test(
    'what was made faster answers what it answered before: an index that was filled then stays',
    async (t) => {
      for (const [file, name] of [
        ['018.do.list-terms.sql', 'list_words_2'],
        ['010.do.lists.sql', 'list_terms'],
      ] as const)
        await database.query({ name: 'test', text: asBefore(file, name) })
      const seeded = new Seeded(20_261_127)
      const owner = '01890a5d-ac96-774b-bcce-b302099a8057'
      let words = 0
      for (let n = 0; n < 400; n++) {
        const texts = [...someTexts(seeded), ...(seeded.below(9) === 0 ? [null] : [])]
        const [before, now] = [`before_list_words_2($1::text[])`, `list_words_2($1::text[])`]
        const is = `(select json_build_array(${before} = ${now}, cardinality(${now}),
        before_list_terms('${owner}', ${before}, $2::text[]) = list_terms('${owner}', ${now}, $2::text[])))`
        const facets = seeded.pick([[], ['platform=etsy'], ['a=b', 'tags=é'], [''], [null]])
        const [sameWords, count, sameTerms] =
          (await valueOf<[boolean, number, boolean]>(database, is, texts, facets)) ?? []
        if (sameWords !== true || sameTerms !== true) return t.fail(JSON.stringify([texts, facets]))
        words += Number(count)
      }
      t.ok(words > 1_000, `${words} words`)
    },
  )

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

  await t.test('what a text has beside letters, digits and signs of a script parts its words', async (t) => {
    const all = Array.from({ length: 0x20000 }, (_, code) => code)
      .filter((code) => code > 0 && !(code >= 0xd800 && code < 0xe000))
      .map((code) => String.fromCodePoint(code))
    const ofKind = (kind: RegExp): string[] => all.filter((character) => kind.test(character))
    const parted = async (characters: readonly string[]): Promise<string[]> => {
      const texts = characters.map((character) => `xx${character}xx`)
      const words = await valueOf<number[]>(
        database,
        '(select array_agg(cardinality(list_words_2(array[item])) order by nth) from unnest($1::text[]) with ordinality as of (item, nth))',
        texts,
      )
      return characters.filter((_, n) => words?.[n] !== 1)
    }
    t.same(await parted(ofKind(/(?![\u20d0-\u20ff])[\p{L}\p{Nd}\p{Nl}\p{M}]/u)), [], 'no letter, digit or mark')
    for (const kind of [/\p{P}/u, /\p{Z}|\p{Cc}|\p{Cf}/u, /(?=\p{Script=Common})[\p{S}\p{No}]/u]) {
      const others = ofKind(kind)
      t.same(await parted(others), others, String(kind))
    }
  })

  await t.test('an item is mapped by itself: the same one alone and among others', async (t) => {
    const lengths = [1, 40, 99, 100, 101, 249, 250, 251, 332, 333, 334, 499, 500, 501, 999, 1_000, 1_001, 5_000]
    const items = ['x', 'é', '한', '𠀀', '\u0001'].flatMap((one) => lengths.map((length) => one.repeat(length)))
    const alone: (string[] | undefined)[] = []
    for (const item of items) alone.push(await valueOf<string[]>(database, `list_facets_2('x', array[$1::text])`, item))
    t.same(await valueOf(database, `list_facets_2('x', $1::text[])`, items), alone.flat())
    t.equal(new Set(alone.flat()).size, items.length, 'and is no other')
    t.ok(alone.flat().every((facet = '') => Buffer.byteLength(facet) <= 1_002))
    t.same(await valueOf(database, `list_facets_2('x', array[null, 'a', null])`), ['x=a'])
    t.match(await valueOf(database, `list_facets_2('x', array[null, E'a\\x01b'])`), [/^x#.{44}$/])
    t.same(await valueOf(database, `list_facets_2('x', array[null]::text[])`), [])
  })

  await t.test('a row is found by its words where the columns that lists are narrowed by are null', async (t) => {
    const owner = '01a2069f-4382-76fe-94e2-50d41d9cb575'
    const columns = { name: 'text', tags: 'text[]', ids: 'uuid[]' } as const
    const found = async (filters: readonly (keyof typeof columns)[], word: string): Promise<unknown> => {
      const named = Object.fromEntries(filters.map((column) => [column, column]))
      const terms = termsOf({ name: 'things', columns, filters: named, search: ['name', 'tags'] })
      const row = `select '${owner}'::uuid as user_id, 'a fox'::text as name, null::text[] as tags, null::uuid[] as ids`
      const query = `list_all_2('${owner}', list_words_2(list_fold(array[$1::text])), '{}')`
      return valueOf(database, `(select ${terms} @@ ${query} from (${row}) as things)`, word)
    }
    for (const filters of [['tags'], ['ids'], ['tags', 'ids'], ['name', 'tags'], []] as const) {
      t.equal(await found(filters, 'fox'), true, filters.join())
      t.equal(await found(filters, 'owl'), false, filters.join())
    }
  })

  await t.test('long and odd texts become terms, and nothing fails', async (t) => {
    const owner = '01a2069f-4382-76fe-94e2-50d41d9cb575'
    const terms = `list_terms('${owner}', list_words_2(list_fold(array[$1::text])), list_facets_2('x', list_fold(array[$1::text])))`
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
      const found = `list_all_2('${owner}', list_words_2(list_fold(array[left($1::text, 200)])), '{}')`
      t.equal(await valueOf(database, `coalesce(${terms} @@ ${found}, true)`, text), true, text.slice(0, 10))
    }
    t.equal(await valueOf(database, `list_all_2('${owner}', '{}', '{}')`), null)
    t.equal(await valueOf(database, `list_any('${owner}', '{}')`), null)
    t.equal(await valueOf(database, `list_terms('${owner}', '{}', '{NULL}') = ''`), true)
  })
}
