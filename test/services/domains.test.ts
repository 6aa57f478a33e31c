import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { Type } from '@sinclair/typebox'
import { cachedTables, entryOfKey, longestEntryLifetimeMs } from '../../services/cache-map.js'
import { resources } from '../../services/domains.js'
import { checked } from '../../services/resource/checked.js'
import { ResourceAddresses } from '../../services/resource/addresses.js'
import { columnsOf, columnValues } from '../../services/resource/sql/columns.js'
import type { ResourceDefinition } from '../../services/resource/definition.js'
import { dependentsOf } from '../../services/resource/sql/dependents.js'
import { referencesOf } from '../../services/resource/sql/references.js'
import { schemasOf, Text, Uuid } from '../../services/resource/schema.js'
import { openDatabase } from '../../services/database/index.js'
import { startService } from '../helpers/app.js'
import { preparedPgliteDir } from '../helpers/pglite.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = join(import.meta.dirname, '../..')
const ID = '01A2069F-4382-76FE-94E2-50D41D9CB575'

function definition(name: string, references: ResourceDefinition['references'] = {}): ResourceDefinition {
  const columns = Object.fromEntries(Object.keys(references).map((column) => [column, 'uuid' as const]))
  return { name, kind: name, schemas: schemasOf({}, {}), columns, filters: {}, references }
}

t.test('the tables are what the definitions say: a column that differs has no migration yet', async (t) => {
  const { app } = await startService(t)
  for (const { name, columns, references = {}, naturalKey } of resources) {
    const types = await app.db.query<{ name: string; type: string }>({
      name: 'test.columns',
      text: `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
        where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      values: [name],
    })
    const typeOf = Object.fromEntries(types.map(({ name, type }) => [name, type]))
    const common = { id: 'uuid', user_id: 'uuid', version: 'bigint' }
    for (const [column, type] of Object.entries({ ...common, ...columns })) {
      t.equal(typeOf[column]?.replace('timestamp with time zone', 'timestamptz'), type, `${name}.${column}`)
    }
    const indexes = await app.db.query<{ columns: string }>({
      name: 'test.indexes',
      text: `select substring(pg_get_indexdef(indexrelid) from '\\((.*)\\)') as columns from pg_index where indrelid = $1::regclass`,
      values: [name],
    })
    const indexed = indexes.map((index) => index.columns)
    for (const column of ['user_id, id', 'user_id, external_id', ...Object.keys(references)]) {
      t.ok(indexed.includes(column), `${name} (${column}) has an index`)
    }
    for (const key of [naturalKey ?? [], ['external_id']].filter(({ length }) => length > 0)) {
      const hash = `hash_record_extended(ROW(${['user_id', ...key].join(', ')}), (0)::bigint)`
      t.ok(
        indexed.some((text) => text.startsWith(hash)),
        `${name} has an index on ${hash}`,
      )
    }
  }
})

t.test('the printed SQL of journal and triggers is what a migration has put there', async (t) => {
  const database = await openDatabase({ dataDir: await preparedPgliteDir() })
  t.teardown(() => database.close())
  const printed = execFileSync(process.execPath, [TYPESCRIPT, 'commands/journal-sql.ts'], { cwd: ROOT }).toString()
  const there = `select string_agg(name, ' ' order by name) as names from (
    select proname::text as name from pg_proc where proname ~ '^cache_' union all
    select format('%s.%s %s', tgrelid::regclass, tgname, tgenabled) from pg_trigger where tgname ~ '^cache_') all_of_them`
  await database.exclusively(async (runner) => {
    const script = printed.replace(/^(begin|commit);$/gm, '')
    const before = await runner.query(there)
    const trigger = /designs\.(cache_\w+_after_update) A/.exec(JSON.stringify(before))?.[1]
    t.ok(trigger, 'a trigger that is always enabled')
    await runner.script(script)
    t.same(await runner.query(there), before, 'nothing was to be done')
    await runner.script(`drop trigger ${trigger} on designs`)
    await runner.script(script)
    t.same(await runner.query(there), before, 'what was missing is back')
  })
})

t.test('every table of a definition tells the cache, and every key is found again', async (t) => {
  t.same(
    cachedTables.map(({ table }) => table),
    ['users', 'tokens', ...resources.map(({ name }) => name)],
  )
  for (const { name, kind } of resources) {
    t.equal(entryOfKey(`u/${name}/${ID}`)?.domain, name)
    t.equal(entryOfKey(`u/${name}?limit=50`)?.domain, `${kind}_lists`)
  }
  t.equal(entryOfKey(`u/others/${ID}`), undefined)
  t.equal(entryOfKey('u/profile')?.domain, 'users')
  t.equal(entryOfKey('u/tokens/hash')?.domain, 'tokens')
  t.equal(longestEntryLifetimeMs(1), 1_860_000, 'that of templates')
  t.equal(longestEntryLifetimeMs(86_400), 86_460_000, 'what names no lifetime has the default')
})

t.test('no resource has the keys and tags of something else', async (t) => {
  for (const name of ['all', 'profile', 'tokens', 'Orders', 'order-lines', '', 'a/b']) {
    t.throws(() => new ResourceAddresses({ name, kind: 'x' }), { message: `A resource can not be called ${name}` })
  }
  t.ok(new ResourceAddresses({ name: 'order_lines', kind: 'order_line' }))
})

t.test('references are locked in the order of the list, and known at the other end', async (t) => {
  const [a, b] = [definition('a'), definition('b')]
  const c = definition('c', { b_id: { to: 'b', onDelete: 'refuse' }, a_id: { to: 'a', onDelete: 'forget' } })
  const otherWay = definition('c', { a_id: { to: 'a', onDelete: 'forget' }, b_id: { to: 'b', onDelete: 'refuse' } })
  const all = [a, b, c]
  const inOrder = [
    { column: 'a_id', table: 'a' },
    { column: 'b_id', table: 'b' },
  ]
  t.same(referencesOf(c, all), inOrder)
  t.same(referencesOf(otherWay, [a, b, otherWay]), inOrder, 'however they are written down')
  t.same(dependentsOf(a, all), [{ table: 'c', column: 'a_id', isList: false, onDelete: 'forget' }])
  t.same(dependentsOf(c, all), [])
  t.throws(() => referencesOf(c, [a, c, b]), { message: 'c.b_id refers to b: list that first in services/domains.ts' })
  t.throws(() => referencesOf(c, [a, c]), { message: 'c.b_id refers to b: no resource is called that' })
})

t.test('a definition that is wrong is refused with the cause, before anything is made by it', async (t) => {
  const a = definition('a')
  const wrong: readonly (readonly [Partial<ResourceDefinition>, string | RegExp])[] = [
    [
      { columns: { b_id: 'uuid' }, references: { b_id: { to: 'b', onDelete: 'refuse' } } },
      'a.b_id refers to b: no resource is called that',
    ],
    [
      { references: { b_id: { to: 'b', onDelete: 'refuse' } } },
      'a.b_id can not refer to rows: there is no such column',
    ],
    [{ references: { size: { to: 'b', onDelete: 'refuse' } } }, 'a.size can not refer to rows: integer'],
    [{ naturalKey: ['size', 'colour'] }, 'a: rows can not be told apart by colour: there is no such column'],
    [{ filters: { region: 'region' } }, 'a: lists can not be searched or narrowed by region: there is no such column'],
    [{ search: ['size'] }, 'a: lists can not be searched or narrowed by size: integer'],
    [{ sorts: { name: 'title' } }, 'a: lists can not be sorted by title: there is no such column'],
    [{ columns: { shipTo: 'text' } }, /^a: a column can not be called shipTo/],
    [{ columns: { '#nth': 'text' } }, /^a: a column can not be called #nth/],
  ]
  for (const [change, message] of wrong) {
    const one = { ...a, columns: { size: 'integer' as const }, ...change }
    t.throws(() => checked([one]), { message })
  }
  t.same(checked([a]), [a])
})

t.test(
  'columns have the types that their schemas suggest, and take values as the database compares them',
  async (t) => {
    const columns = columnsOf(
      Type.Object({
        text: Text(10),
        id: Uuid,
        ids: Type.Array(Uuid),
        words: Type.Array(Text(5)),
        is_on: Type.Boolean(),
        count: Type.Integer(),
        share: Type.Number(),
        at: Type.String({ format: 'date-time' }),
        parts: Type.Array(Type.Object({})),
      }),
    )
    const expected = 'text uuid uuid[] text[] boolean integer double precision timestamptz jsonb'
    t.equal(Object.values(columns).join(' '), expected)
    t.same(columnValues(columns, { id: ID, ids: [ID, ID.toLowerCase()], parts: [{}], text: 'A' }), {
      id: ID.toLowerCase(),
      ids: [ID.toLowerCase()],
      parts: '[{}]',
      text: 'A',
    })
    t.same(columnValues(columns, { id: null, parts: null }), { id: null, parts: null })
  },
)
