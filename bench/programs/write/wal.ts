import pg from 'pg'
import type { Benchmark, Row, Table } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { single } from '../../harness/statistics.js'
import { cachedTables } from '../../../services/cache-map.js'
import { installChanges } from '../../../services/changes/installation.js'
import { migrate, openDatabase } from '../../../services/database/index.js'
import { resources } from '../../../services/domains.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'

const [DESIGNS, WRITTEN, SMOKE_WRITTEN] = [5_000, 2_000, 100]
const USER = '01a2069f-0000-7000-8000-0000000000ff'

/** What one update sets; another value each time. */
const COLUMNS = {
  description: 'description = $1',
  metadata: `metadata = jsonb_build_object('note', $1::text)`,
}
type Column = keyof typeof COLUMNS

/** Of one update. */
interface Cost {
  readonly bytes: number
  readonly records: number
  /** The part of the updates whose new row is in no index anew. */
  readonly hot: number
}

/** Triggers of designs that are on. */
const VARIANTS = {
  'a plain update': [],
  'the cache’s triggers': ['cache_%'],
  'those, and what changed written down': ['cache_%', 'changes_%'],
}

export const benchmark: Benchmark = {
  title: 'what an update leaves in the log of the database',
  parameters: { designs: DESIGNS, updates: WRITTEN },
  run: async ({ isSmoke }) => {
    // Without whole pages, which come with the first change after a checkpoint, however small it is.
    const postgres = await startPostgres({ full_page_writes: 'off' })
    const url = await postgres.createDatabase()
    const database = await openDatabase({ url, dataDir: '' })
    const client = new pg.Client(url)
    try {
      const install = (sql: Parameters<typeof installChanges>[0]) => installChanges(sql, resources, { isOn: true })
      await migrate(database, cachedTables, { install })
      await client.connect()
      const ids = await fill(client, isSmoke ? SMOKE_WRITTEN : WRITTEN)
      const tables: Table[] = []
      for (const column of ['description', 'metadata'] as const) tables.push(await compare(client, ids, column))
      return tables
    } finally {
      await client.end()
      await database.close()
      await postgres.stop()
    }
  },
}

async function fill(client: pg.Client, written: number): Promise<string[]> {
  await client.query(`insert into users (id, email, shop_name) values ('${USER}', 'bench@example.com', 'bench')`)
  await client.query(`insert into designs (id, user_id, filename, file_path, platform, description, tags)
    select gen_random_uuid(), '${USER}', n || '.png', '/' || n, 'etsy', repeat('leaves ', 20), array['a', 'b']
    from generate_series(1, ${DESIGNS}) n`)
  const { rows } = await client.query<{ id: string }>(`select id from designs order by id limit ${written}`)
  return rows.map(({ id }) => id)
}

async function compare(client: pg.Client, ids: readonly string[], column: Column): Promise<Table> {
  const costs: [string, Cost][] = []
  for (const [name, triggers] of Object.entries(VARIANTS))
    costs.push([name, await measure(client, ids, column, triggers)])
  const plain = costs[0]?.[1] ?? { bytes: Number.NaN, records: Number.NaN, hot: Number.NaN }
  const rows = costs.map(([name, { bytes, records, hot }], n): Row => {
    const note = `${figure(records)} records (${figure(records / plain.records)} ×), ${figure(100 * hot)} % HOT`
    const ratio = n === 0 ? undefined : single(bytes / plain.bytes)
    return {
      name,
      value: single(bytes),
      unit: 'bytes',
      ratio,
      note,
      ...(n > 0 && { target: { of: 'ratio', atMost: 1.4 } }),
    }
  })
  const isIndexed = column === 'description' ? 'searched, so in an index' : 'in no index'
  return { title: `an update of ${column} (${isIndexed})`, rows, floor: 'a plain update' }
}

async function measure(
  client: pg.Client,
  ids: readonly string[],
  column: Column,
  triggers: readonly string[],
): Promise<Cost> {
  const { rows } = await client.query<{ tgname: string; is_on: boolean }>(
    `select tgname, tgname like any($1) as is_on from pg_trigger where tgrelid = 'designs'::regclass and not tgisinternal`,
    [triggers],
  )
  for (const { tgname, is_on: isOn } of rows)
    await client.query(`alter table designs ${isOn ? 'enable always' : 'disable'} trigger ${tgname}`)
  // Each variant finds the table as the last one did: every row has been changed once, and what that left has been tidied up.
  await client.query('vacuum full designs')
  await update(client, ids, column, 'before')
  await client.query('vacuum designs')
  const before = await state(client)
  await update(client, ids, column, 'after')
  const after = await state(client)
  const updates = after.updates - before.updates
  return {
    bytes: (after.bytes - before.bytes) / updates,
    records: (after.records - before.records) / updates,
    hot: (after.hot - before.hot) / updates,
  }
}

async function update(client: pg.Client, ids: readonly string[], column: Column, word: string): Promise<void> {
  const text = `update designs set ${COLUMNS[column]} where id = $2`
  for (const [n, id] of ids.entries()) await client.query(text, [`${word} ${n}`, id])
}

async function state(client: pg.Client): Promise<Record<'bytes' | 'records' | 'updates' | 'hot', number>> {
  await client.query('select pg_stat_force_next_flush()')
  // What a statement counts is there for the next one.
  await client.query('select 1')
  const { rows } = await client.query<Record<'bytes' | 'records' | 'updates' | 'hot', number>>(
    `select wal_bytes::float8 as bytes, wal_records::float8 as records, n_tup_upd::float8 as updates, n_tup_hot_upd::float8 as hot
     from pg_stat_wal, pg_stat_user_tables where relname = 'designs'`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('The table has no statistics')
  return row
}
