import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import {
  createJournal,
  type CachedTable,
  installJournal,
  type Journal,
  type SqlRunner,
} from '../../../../services/cache/index.js'
import { ModelDatabase, ModelJournal } from '../../../helpers/cache/model-database.js'
import { sharedPostgres } from '../../../helpers/servers/shared-servers.js'
import { conforms, type OpenWrite, type Subject } from './journal.js'

const TABLES: readonly CachedTable[] = [{ table: 'rows', row: 'rows/{id}', list: 'rows', owner: 'all' }]
const ROWS = 'create table rows (id text primary key)'

t.test('the journal in PostgreSQL', async (t) => {
  const server = await sharedPostgres(t)
  const pool = new pg.Pool({ connectionString: await server.createDatabase() })
  // The server may say goodbye to a connection that is being closed.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  t.teardown(() => pool.end())
  await pool.query(ROWS)
  await inTransaction(pool, (client) => installJournal(client, TABLES))
  const listen: NonNullable<Journal['listen']> = async (onPayload) => {
    const client = await pool.connect()
    client.on('notification', ({ payload = '' }) => onPayload(payload))
    await client.query('listen cache_of_a_test')
    const closed = new Promise((resolve) => client.once('end', () => resolve(undefined)))
    return {
      announce: async (payload) => void (await client.query(`select pg_notify('cache_of_a_test', $1)`, [payload])),
      closed,
      async close() {
        client.release(true)
        await closed
      },
    }
  }
  await conforms(t, {
    ...overSql(pool, { listen }),
    begin: async (tags) => {
      const client = await pool.connect()
      await client.query('begin')
      const { rows } = await client.query<{ id: string }>('select cache_touch($1) as id', [tags])
      const end = (how: string) => async () => {
        await client.query(how)
        client.release()
      }
      return { id: Number(rows[0]?.id), commit: end('commit'), abort: end('rollback') } satisfies OpenWrite
    },
  })
})

t.test('the journal in PGlite', async (t) => {
  const { PGlite } = await import('@electric-sql/pglite')
  const pglite = await PGlite.create()
  t.teardown(() => pglite.close())
  await pglite.exec(ROWS)
  await pglite.transaction((transaction) => installJournal(transaction, TABLES))
  await conforms(t, overSql(pglite))
})

t.test('the model of a journal', async (t) => {
  const database = new ModelDatabase()
  await conforms(t, {
    journal: new ModelJournal(database),
    smaller: (mostTags) => new ModelJournal(database, { mostTags }),
    async begin(tags) {
      const { id, commit, abort } = database.begin(tags)
      return { id, commit: async () => commit(), abort: async () => abort() }
    },
    goBack: async () => database.goBackTo(0, new Map()),
  })
})

function overSql(sql: SqlRunner, more: Pick<Journal, 'listen'> = {}): Subject {
  return {
    journal: createJournal({ sql, tables: TABLES, ...more }),
    smaller: (mostTags) => createJournal({ sql, tables: TABLES, mostTags }),
    goBack: async () => {
      await sql.query('delete from cache_journal')
      await sql.query(
        `update cache_journal_state set epoch = $1, pruned = pg_current_snapshot(), marks = '{}', marked_at = '{}'`,
        [randomUUID()],
      )
    },
  }
}

async function inTransaction(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  await client.query('begin')
  await work(client)
  await client.query('commit')
  client.release()
}
