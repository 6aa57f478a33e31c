import t from 'tap'
import { RowExport } from '../../../services/export/row-export.js'
import type { ResourceDefinition } from '../../../services/resource/definition.js'
import { RowImporter } from '../../../services/resource/import/importer.js'
import { LoadQueue } from '../../../services/resource/lists/load-queue.js'
import { schemasOf, Text } from '../../../services/resource/schema.js'
import { ResourceService } from '../../../services/resource/service.js'
import { columnsOf } from '../../../services/resource/sql/columns.js'
import { startService } from '../../helpers/app.js'

/** Words of the service's own statements: of what they bind, call and answer beside the columns of a row. */
const WORDS =
  'nth named named_columns place bytes row_bytes page_bytes is_whole is_new sort_value fits met transaction differs line there here ' +
  'found found_by page next alike wanted given owner excluded d'
const NAMES = WORDS.split(' ')
const ROW: Readonly<Record<string, string>> = Object.fromEntries(NAMES.map((name) => [name, `the ${name}`]))

const search = NAMES
const sorts = { name: 'nth' }
const field = Object.fromEntries(NAMES.map((name) => [name, Text(10_000)]))
const schemas = schemasOf(field, field, { search, sorts })
const odds: ResourceDefinition = {
  name: 'odds',
  kind: 'odd',
  schemas,
  columns: columnsOf(schemas.creation),
  filters: Object.fromEntries(NAMES.map((name) => [name, name])),
  search,
  sorts,
  naturalKey: ['nth', 'line', 'there'],
}

t.test('a column may have any name: none is one of those that statements give to what is no column', async (t) => {
  const { app, newUser } = await startService(t)
  const { id: user } = await newUser()
  const query = (text: string) => app.db.query({ name: 'test', text })
  await query(`create table odds (id uuid primary key default new_row_id(0),
    user_id uuid not null references users (id) on delete cascade, version bigint not null default 1,
    ${NAMES.map((name) => `${name} text not null default 'none'`).join(', ')}, external_id text, metadata json,
    created_at timestamptz not null default statement_timestamp(), updated_at timestamptz not null default statement_timestamp())`)
  await query('create unique index odds_external_id on odds (user_id, external_id)')
  const { db: database, cache, loadQueue } = app
  const dependencies = { database, cache, loadQueue, versionOf: String, resources: [odds] }
  const service = new ResourceService({ ...dependencies, bulkQueue: new LoadQueue({ mostAtOnce: 1 }) }, odds)
  const read = async (id: string) => (await service.get(user, id)).value?.parse<Record<string, unknown>>()
  const bulk = (items: Parameters<typeof service.bulk>[1]) =>
    service.bulk(user, items, {
      isAtomic: true,
      told: (outcome) => ({ outcome }),
      key: undefined,
      judged: (item) => item,
    })

  const { id } = await service.create(user, { ...ROW, external_id: 'one' })
  t.match(await read(id), ROW)

  await t.test('rows are changed, replaced and compared', async (t) => {
    await service.update(user, id, { nth: 'second', transaction: 'other' })
    const { document } = await service.update(user, id, { nth: 'second' })
    t.match(document.parse(), { ...ROW, nth: 'second', transaction: 'other' })
    const { id: same } = await service.replaceByExternalId(user, 'one', ROW)
    t.equal(same, id)
    t.match(await read(id), ROW)
  })

  await t.test('many are created, replaced and deleted at once', async (t) => {
    const { nth: _, ...unnamed } = ROW
    await bulk([
      { op: 'create', row: { ...ROW, external_id: 'two' } },
      { op: 'create', row: { ...unnamed, external_id: 'three' } },
      { op: 'create', row: { named: 'x', external_id: 'four' } },
    ])
    // The table has no triggers, which would tell the cache.
    const found = async (name: string) => (await query(`select * from odds where external_id = '${name}'`))[0]
    t.match(await found('two'), ROW)
    t.match(await found('three'), { ...ROW, nth: 'none' })
    t.match(await found('four'), { named: 'x', named_columns: 'none' })
    await bulk(['three', 'new'].map((name) => ({ op: 'upsert', external_id: name, row: ROW })))
    t.match(await found('three'), ROW)
    t.match(await found('new'), ROW)
    await bulk([{ op: 'delete', external_id: 'four' }])
  })

  await t.test('an import knows, compares and updates them', async (t) => {
    const importer = new RowImporter(dependencies, odds)
    const line = { ...ROW, nth: 'imported' }
    const write = async (existing: 'compare' | 'update', ...bodies: object[]) => {
      const rows = bodies.map((body) => ({ body: { ...body } }))
      return (await importer.write(user, rows, { existing })).map(({ outcome }) => outcome)
    }
    t.same(await write('compare', line), ['created'])
    t.same(await write('compare', line, { ...line, here: 'x' }), ['equal', 'different'])
    t.same(await write('update', { ...line, here: 'x', differs: 'y' }), ['updated'])
    await query(`insert into odds (user_id, nth, line, there, external_id)
      select user_id, nth, line, there, 'alike ' || n from odds, generate_series(1, 12) n where nth = 'imported'`)
    t.same(await write('compare', { ...line, here: 'x', differs: 'y' }), ['equal'], 'of many that have its key')
  })

  await t.test('lists find and sort them, also those that are large', async (t) => {
    const large = await service.create(user, { ...ROW, nth: 'large', place: 'x'.repeat(9_000), bytes: 'y' })
    const list = async (asked: Parameters<typeof service.list>[1]) => {
      const page = (await service.list(user, asked)).value?.parse<{
        items: Record<string, unknown>[]
        total?: number
      }>()
      return page ?? { items: [] }
    }
    for (const asked of [
      { limit: 2, sort: 'name' },
      { limit: 1, sort: '-name', q: 'the', total: true },
    ]) {
      t.equal((await list(asked)).items.length, asked.limit)
    }
    t.match(await list({ nth: 'large' }), {
      items: [{ id: large.id, nth: 'large', bytes: 'y', row_bytes: 'the row_bytes' }],
    })
    for (const name of NAMES) t.ok((await list({ limit: 1, [name]: ROW[name], sort: 'name' })).items.length > 0, name)
  })

  let lines = ''
  for await (const chunk of new RowExport(odds, [odds], database.kind).chunks(database, user)) lines += chunk
  const exported = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(exported[0], ROW)
  t.equal(exported.find(({ nth }) => nth === 'large')?.place.length, 9_000)
})
