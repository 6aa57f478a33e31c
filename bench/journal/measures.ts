import type pg from 'pg'
import type { Row } from '../harness/benchmark.js'
import { figure } from '../harness/print.js'
import { single } from '../harness/statistics.js'

const MIB = 1024 ** 2

/** Of the functions of the journal; tails, marks, and the three parts of a prune. */
const FUNCTIONS = ['tail', 'mark', 'prune', 'remove', 'finish']

interface Sizes {
  readonly rows: number
  readonly tableMib: number
  readonly indexMib: number
  /** By the server itself, so far. */
  readonly vacuums: number
}

export async function sizesOf(client: pg.Client): Promise<Sizes> {
  const { rows } = await client.query<Record<keyof Sizes, string>>(`select (select count(*) from cache_journal) as rows,
    pg_table_size('cache_journal') / ${MIB}.0 as "tableMib", pg_indexes_size('cache_journal') / ${MIB}.0 as "indexMib",
    (select autovacuum_count from pg_stat_user_tables where relname = 'cache_journal') as vacuums`)
  const { rows: count, tableMib, indexMib, vacuums } = rows[0]!
  return { rows: Number(count), tableMib: Number(tableMib), indexMib: Number(indexMib), vacuums: Number(vacuums) }
}

/** What each call took in the server, since its statistics were reset. */
export async function functionRows(client: pg.Client): Promise<Row[]> {
  const { rows } = await client.query<Record<'query' | 'calls' | 'mean' | 'least' | 'most' | 'blocks' | 'wal', string>>(
    `select query, calls, mean_exec_time as mean, min_exec_time as least, max_exec_time as most,
       (shared_blks_hit + shared_blks_read) / calls as blocks, wal_bytes / calls as wal
     from pg_stat_statements where query ~ '^select cache_[0-9a-f]{8}_'`,
  )
  return FUNCTIONS.flatMap((name) => {
    const found = rows.find(({ query }) => new RegExp(`^select cache_[0-9a-f]{8}_${name}\\(`).test(query))
    if (found === undefined) return []
    const value = { median: Number(found.mean), min: Number(found.least), max: Number(found.most) }
    const note = `${Number(found.calls).toLocaleString('en-US')} calls, each ${figure(Number(found.blocks))} blocks, ${figure(Number(found.wal))} bytes of WAL`
    return [{ name: `${name} (mean, least, most)`, value, unit: 'ms', note }]
  })
}

export async function vacuumed(client: pg.Client): Promise<Row> {
  const said: string[] = []
  const listener = ({ message = '' }: { message?: string | undefined }): unknown => said.push(message)
  client.on('notice', listener)
  const beganAt = performance.now()
  await client.query('vacuum (verbose) cache_journal')
  const ms = performance.now() - beganAt
  client.off('notice', listener)
  const words = said.join('\n')
  const part = (pattern: RegExp): string => pattern.exec(words)?.[0] ?? ''
  const note = [part(/tuples: .*/), part(/buffer usage: .*/), part(/pages: .*/)]
    .filter((text) => text !== '')
    .join('; ')
  return { name: 'vacuum', value: single(ms), unit: 'ms', note }
}
