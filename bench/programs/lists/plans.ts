import pg from 'pg'
import type { Benchmark, Row, Table } from '../../harness/benchmark.js'
import { single } from '../../harness/statistics.js'
import { ExplainingClient, type Planning, type Reading } from '../../lists/explaining.js'
import { fill, type Owners } from '../../lists/filling.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { templates } from '../../../services/templates/definition.js'
import type { ResourceDefinition } from '../../../services/resource/definition.js'
import { listsOf, selectionOf, type ListQuery } from '../../../services/resource/lists/list-query.js'
import { MOST_COUNTED } from '../../../services/resource/lists/reading.js'
import { ResourceRows } from '../../../services/resource/sql/rows.js'

const SIZES = [10_000, 100_000]
const LARGE_SIZE = 1_000_000
const SMOKE_SIZE = 20_000
const LIMIT = 50
const PAGE = LIMIT + 1

/** How many rows a list may read: its page, ten pages, with them the owner's rows that fit, or all rows of the owner. */
type Bound = 'page' | 'ten pages' | 'fitting' | 'own'

interface Case {
  readonly query: ListQuery
  readonly bound: Bound
  readonly of?: ResourceDefinition
  readonly owner?: keyof Owners
  /** How many pages are read before the one that is measured. */
  readonly after?: number
}

const HOUR = new Date(Date.now() - 3_600_000).toISOString()

/** Those without an owner are asked by the largest one. */
const CASES: readonly Case[] = [
  { query: {}, bound: 'page' },
  { query: {}, bound: 'page', after: 1 },
  { query: {}, bound: 'page', owner: 'small' },
  ...['created', 'updated', '-updated', 'name', '-name'].flatMap((sort): Case[] => [
    { query: { sort }, bound: 'page' },
    { query: { sort }, bound: 'page', after: 1 },
  ]),
  { query: { sort: 'price' }, bound: 'page', of: templates, after: 1 },
  { query: { sort: '-price' }, bound: 'page', of: templates },
  { query: { platform: 'shopify' }, bound: 'ten pages' },
  { query: { platform: 'etsy' }, bound: 'ten pages', after: 3 },
  { query: { platform: 'etsy' }, bound: 'ten pages', owner: 'small' },
  { query: { platform: 'etsy', sort: 'name' }, bound: 'ten pages' },
  { query: { platform: 'craftflow' }, bound: 'ten pages' },
  { query: { platform: 'craftflow', is_active: false }, bound: 'ten pages' },
  { query: { platform: 'craftflow', is_active: true }, bound: 'ten pages' },
  { query: { platform: 'etsy', is_active: true }, bound: 'ten pages' },
  { query: { is_active: false }, bound: 'fitting' },
  { query: { tag: ['summer'] }, bound: 'ten pages' },
  { query: { tag: ['RARE31'] }, bound: 'ten pages' },
  { query: { tag: ['rare31'], platform: 'shopify' }, bound: 'ten pages' },
  { query: { tag: ['rare31'], sort: '-updated' }, bound: 'ten pages' },
  { query: { tag: ['summer', 'tag7'] }, bound: 'fitting' },
  { query: { tag: ['summer', 'tag7'], platform: 'craftflow' }, bound: 'ten pages' },
  { query: { any_tag: 'rare31,rare62' }, bound: 'ten pages' },
  { query: { any_tag: 'tag1,tag2,tag3,tag4,tag5,tag6,tag7,tag8,tag9,tag10,tag11,tag12,tag13' }, bound: 'ten pages' },
  { query: { tag: ['tag7'] }, bound: 'fitting' },
  { query: { tag: ['no such'] }, bound: 'page' },
  { query: { q: 'fox' }, bound: 'ten pages' },
  { query: { q: 'd', sort: 'name' }, bound: 'ten pages' },
  { query: { q: 'leaves colour 17' }, bound: 'fitting' },
  { query: { q: 'rare31' }, bound: 'fitting' },
  { query: { q: 'rare31', is_active: true }, bound: 'fitting' },
  { query: { q: 'nothing of this' }, bound: 'page' },
  { query: { external_id: 'key-77' }, bound: 'page' },
  { query: { updated_since: HOUR, sort: 'updated' }, bound: 'ten pages' },
  { query: { updated_since: HOUR, sort: '-updated', platform: 'etsy' }, bound: 'ten pages' },
  { query: { updated_since: HOUR }, bound: 'fitting' },
  { query: { updated_since: HOUR, platform: 'etsy' }, bound: 'own' },
  { query: { updated_since: '2000-01-01T00:00:00Z' }, bound: 'ten pages' },
  { query: { updated_since: '2100-01-01T00:00:00Z', sort: 'name' }, bound: 'page' },
]

export const benchmark: Benchmark = {
  title: 'what lists read: rows and pages, by PostgreSQL’s own account',
  parameters: { limit: LIMIT, sizes: [...SIZES, LARGE_SIZE].join('/') },
  run: async ({ isSmoke, isLarge }) => {
    const postgres = await startPostgres({
      shared_buffers: '256MB',
      max_wal_size: '8GB',
      maintenance_work_mem: '256MB',
    })
    try {
      const tables: Table[] = []
      const sizes = isSmoke ? [SMOKE_SIZE] : isLarge ? [...SIZES, LARGE_SIZE] : SIZES
      for (const size of sizes) tables.push(await tableOf(await postgres.createDatabase(), size))
      return tables
    } finally {
      await postgres.stop()
    }
  },
}

async function tableOf(url: string, size: number): Promise<Table> {
  const client = new pg.Client(url)
  const database = await openDatabase({ url, dataDir: '' })
  try {
    await migrate(database, cachedTables)
    await client.connect()
    const dropped = cachedTables.flatMap(({ indexes = [] }) => indexes.map(({ name }) => name))
    await client.query(`drop index ${dropped.join(', ')}`)
    const owners = await fill(client, size)
    const begun = performance.now()
    await migrate(database, cachedTables)
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
    await client.query('vacuum analyze')
    const own = await client.query<{ count: number }>(
      'select count(*)::integer as count from designs where user_id = $1',
      [owners.largest],
    )
    const measured: Row[] = []
    for (const each of CASES) measured.push(await measure(client, owners, each))
    for (const query of [{}, { platform: 'shopify' }, { q: 'fox' }]) measured.push(await count(client, owners, query))
    return {
      title: `${size.toLocaleString('en-US')} designs, ${own.rows[0]?.count.toLocaleString('en-US')} of them the largest owner’s`,
      rows: [await before(client, owners), ...measured],
      notes: [
        'Each by the worse of two plans: for these values, and for any (a prepared statement’s). In brackets: the statements of the load.',
        `The indexes of lists were made in ${seconds} s.`,
      ],
    }
  } finally {
    await client.end()
    await database.close()
  }
}

/** What is asked for with the owner as a constant: the planner may go through everybody's rows in the order of the ids. */
async function before(client: pg.Client, { largest }: Owners): Promise<Row> {
  const reading = await worst(async (planning) => {
    const explaining = new ExplainingClient(client, planning)
    const text = `select * from designs where user_id = $1::uuid order by id desc limit $2::integer`
    await explaining.query({ name: 'with the owner as a constant', text, values: [largest, PAGE] })
    return explaining.reading
  })
  return rowOf('none, where user_id = $1 order by id', reading, undefined)
}

async function measure(client: pg.Client, owners: Owners, each: Case): Promise<Row> {
  const { query, bound, of: definition = designs, owner, after = 0 } = each
  const userId = definition.name === 'templates' ? await ownerOfTemplates(client) : owners[owner ?? 'largest']
  const lists = listsOf(definition)
  const rows = new ResourceRows(definition, 'postgres')
  const selection = (cursor: string | undefined) =>
    selectionOf(userId, lists, { limit: LIMIT, ...query, ...(cursor !== undefined && { cursor }) })
  const reading = await worst(async (planning) => {
    let cursor: string | undefined
    for (let page = 0; page < after; page++) {
      const { nextCursor } = await rows.list(new ExplainingClient(client, planning), userId, selection(cursor))
      cursor = nextCursor ?? undefined
    }
    const explaining = new ExplainingClient(client, planning)
    await rows.list(explaining, userId, selection(cursor))
    return explaining.reading
  })
  const narrow = bound === 'own' ? {} : query
  const more =
    bound === 'fitting' || bound === 'own' ? await matches(client, rows, userId, selectionOf(userId, lists, narrow)) : 0
  const most = bound === 'page' ? PAGE : 10 * PAGE + more
  const words = Object.entries(query).map(([name, value]) => `${name}=${String(value)}`)
  const whose = owner === undefined ? '' : `, a ${owner} owner`
  const where = after === 0 ? '' : `, page ${after + 1}`
  const name = `${definition.name === 'designs' ? '' : `${definition.name}: `}${words.join('&') || 'none'}${whose}${where}`
  return rowOf(name.replace(HOUR, 'an hour ago'), reading, most)
}

/** How many of the owner's rows fit, up to where a total is counted. */
async function matches(
  client: pg.Client,
  rows: ResourceRows,
  userId: string,
  selection: ReturnType<typeof selectionOf>,
): Promise<number> {
  const counted = { ...selection, isCounted: true }
  const { total } = await rows.list(new ExplainingClient(client, 'force_custom_plan'), userId, counted)
  return total?.total ?? 0
}

async function count(client: pg.Client, owners: Owners, query: ListQuery): Promise<Row> {
  const rows = new ResourceRows(designs, 'postgres')
  const selection = selectionOf(owners.largest, listsOf(designs), { limit: LIMIT, ...query, total: true })
  const reading = await worst(async (planning) => {
    const explaining = new ExplainingClient(client, planning)
    await rows.list(explaining, owners.largest, selection)
    return explaining.reading
  })
  const words = Object.entries(query).map(([name, value]) => `&${name}=${String(value)}`)
  return rowOf(`total=true${words.join('')}`, reading, MOST_COUNTED + 1 + 10 * PAGE)
}

async function ownerOfTemplates(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'select user_id as id from templates group by 1 order by count(*) desc limit 1',
  )
  return rows[0]?.id ?? ''
}

async function worst(read: (planning: Planning) => Promise<Reading>): Promise<Reading> {
  const [custom, generic] = [await read('force_custom_plan'), await read('force_generic_plan')]
  return custom.rows > generic.rows ? custom : generic
}

function rowOf(name: string, { rows, buffers, statements }: Reading, most: number | undefined): Row {
  const verbs = statements.map((statement) => statement.replace(/^\w+\./, '')).join(', ')
  const target = most === undefined ? undefined : ({ of: 'value', atMost: most } as const)
  return {
    name,
    value: single(rows),
    unit: 'rows',
    target,
    note: `${buffers.toLocaleString('en-US')} pages (${verbs})`,
  }
}
