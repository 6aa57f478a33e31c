import pg from 'pg'
import type { Benchmark, Row } from '../../harness/benchmark.js'
import { startDurablePostgres } from '../../harness/machine.js'
import { quantile, single, spreadOf } from '../../harness/statistics.js'
import { takeIds } from '../../journal/history.js'
import { cachedTables } from '../../../services/cache-map.js'
import { migrate, openDatabase, openJournal } from '../../../services/database/index.js'

const ROWS = 1_800_000
const SMOKE_ROWS = 5_000
/** In one statement, and from here one by one. */
const TAILS = 500
const MOST_TAGS = 100_000
const OPEN_TRANSACTIONS = 20

export const benchmark: Benchmark = {
  title: 'a tail over a long journal with nothing new in it',
  parameters: { rows: ROWS, 'transactions of their own': ROWS },
  run: async ({ rounds, isSmoke }) => {
    const { postgres, note } = await startDurablePostgres({ max_wal_size: '4GB' })
    const url = await postgres.createDatabase()
    const database = await openDatabase({ url, dataDir: '' })
    const client = new pg.Client(url)
    const others = Array.from({ length: OPEN_TRANSACTIONS }, () => new pg.Client(url))
    try {
      await migrate(database, cachedTables)
      await Promise.all([client, ...others].map((each) => each.connect()))
      const journal = openJournal(database, { tables: cachedTables, tailTimeoutMs: 60_000 })
      // The first one makes the journal's state.
      await journal.tail(undefined, undefined)
      await fillJournal(client, isSmoke ? SMOKE_ROWS : ROWS)
      const measure = async (): Promise<{ inServer: number[]; fromHere: number[] }> => {
        const { snapshot, identity = '', fault } = await journal.tail(undefined, undefined)
        if (fault !== undefined) throw new Error(`The journal can't be relied on: ${fault}`)
        await client.query(`select set_config('bench.since', $1, false), set_config('bench.identity', $2, false)`, [
          snapshot,
          identity,
        ])
        const [inServer, fromHere]: [number[], number[]] = [[], []]
        for (let round = 0; round <= rounds; round++) {
          const [server, here] = [await tailsInServer(client), await tailsFromHere(journal, snapshot, identity)]
          if (round === 0) continue
          inServer.push(server)
          fromHere.push(here)
        }
        return { inServer, fromHere }
      }
      const usual = await measure()
      const plans = await plansOfTail(client, url)
      await Promise.all(others.map((other) => other.query('begin; select pg_current_xact_id()')))
      const among = await measure()
      await journal.close?.()
      const row = (name: string, values: readonly number[], target?: Row['target']): Row => ({
        name,
        value: spreadOf(values),
        unit: 'ms',
        target,
      })
      return [
        {
          title: `a tail, ${(isSmoke ? SMOKE_ROWS : ROWS).toLocaleString('en-US')} rows in the journal, nothing new`,
          rows: [
            row('in the server, identity and all', usual.inServer, { of: 'value', atMost: 0.3 }),
            row('from here, with the round trip', usual.fromHere),
            row(`in the server, ${OPEN_TRANSACTIONS} transactions open`, among.inServer, { of: 'value', atMost: 0.3 }),
            row(`from here, ${OPEN_TRANSACTIONS} transactions open`, among.fromHere),
            ...plans,
          ],
          notes: [`In the server: ${TAILS} of them in one statement. Plans and buffers: auto_explain.`, note],
        },
      ]
    } finally {
      await Promise.all([client, ...others].map((each) => each.end()))
      await database.close()
      await postgres.stop()
    }
  },
}

/** A row for each transaction. */
async function fillJournal(client: pg.Client, rows: number): Promise<void> {
  const first = await takeIds(client, rows)
  await client.query(`insert into cache_journal (changed_in, tags)
    select (${first} + n)::text::xid8, array[user_id || '/designs/' || gen_random_uuid(), user_id || '/designs']
    from generate_series(0, ${rows - 1}) n, gen_random_uuid() user_id`)
  await client.query('vacuum analyze cache_journal')
  const { rows: found } = await client.query(
    'select count(*)::int as rows, max(changed_in) < pg_snapshot_xmax(pg_current_snapshot()) as past from cache_journal',
  )
  if (found[0]?.rows !== rows || found[0]?.past !== true) throw new Error('The journal was not filled with the past')
}

const TAIL = `'select ' || (select oid::regproc from pg_proc where proname ~ '^cache_[0-9a-f]{8}_tail$')
  || '(current_setting(''bench.since''), current_setting(''bench.identity''), ''${MOST_TAGS}'')'`

/** Milliseconds of one. */
async function tailsInServer(client: pg.Client): Promise<number> {
  const text = `do $do$ declare
    tail text := ${TAIL};
    began timestamptz;
  begin
    execute format('create or replace function pg_temp.tails() returns void language plpgsql as %L',
      'begin for n in 1 .. ${TAILS} loop perform ' || substr(tail, 8) || '; end loop; end');
    perform pg_temp.tails();
    began := clock_timestamp();
    perform pg_temp.tails();
    perform set_config('bench.ms', (extract(epoch from clock_timestamp() - began) * 1000 / ${TAILS})::text, false);
  end $do$`
  await client.query(text)
  const { rows } = await client.query(`select current_setting('bench.ms')::float8 as ms`)
  return Number(rows[0]?.ms)
}

async function tailsFromHere(
  journal: ReturnType<typeof openJournal>,
  snapshot: string,
  identity: string,
): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < TAILS; n++) {
    const startedAt = performance.now()
    const { changes } = await journal.tail(snapshot, identity)
    times.push(performance.now() - startedAt)
    if (changes?.length !== 0) throw new Error('Something was new')
  }
  return quantile(times, 0.5)
}

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Node[]
}

/** What the statements inside one tail do, in a session in which they have been planned before. */
async function plansOfTail(client: pg.Client, url: string): Promise<Row[]> {
  const { rows } = await client.query(`select ${TAIL} as tail, current_setting('bench.since') as since,
    current_setting('bench.identity') as identity`)
  const session = new pg.Client(url)
  await session.connect()
  const plans: { readonly 'Query Text': string; readonly Plan: Node }[] = []
  try {
    await session.query(`select set_config('bench.since', $1, false), set_config('bench.identity', $2, false)`, [
      rows[0]?.since,
      rows[0]?.identity,
    ])
    // The same plan from the sixth time on.
    for (let n = 0; n < 10; n++) await session.query(String(rows[0]?.tail))
    await session.query(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
      set auto_explain.log_buffers = on; set auto_explain.log_nested_statements = on;
      set auto_explain.log_format = json; set auto_explain.log_level = notice`)
    session.on('notice', ({ message = '' }) => {
      if (message.includes('plan:')) plans.push(JSON.parse(message.slice(message.indexOf('{'))))
    })
    await session.query(String(rows[0]?.tail))
  } finally {
    await session.end()
  }
  const buffers = (node: Node): number => node['Shared Hit Blocks'] + node['Shared Read Blocks']
  const all = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(all)]
  const ranges = plans.find(({ 'Query Text': text }) => /union all/.test(text) && /sum\(/.test(text))
  if (ranges === undefined) throw new Error('The two index ranges were not among the statements of the tail')
  const ofJournal = plans.flatMap(({ Plan }) => all(Plan)).filter((node) => node['Relation Name'] === 'cache_journal')
  const sequential = ofJournal.filter((node) => node['Node Type'] === 'Seq Scan')
  const kinds = [...new Set(ofJournal.map((node) => node['Node Type']))].join(', ')
  // The outermost statement contains the others.
  const whole = Math.max(...plans.map(({ Plan }) => buffers(Plan)))
  return [
    {
      name: 'sequential scans of the journal',
      value: single(sequential.length),
      unit: 'scans',
      target: { of: 'value', atMost: 0 },
      note: `it is read by: ${kinds}`,
    },
    { name: 'buffers of the two index ranges', value: single(buffers(ranges.Plan)), unit: 'buffers' },
    { name: 'buffers of the whole tail', value: single(whole), unit: 'buffers' },
  ]
}
