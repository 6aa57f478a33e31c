/** Updates of designs, each client its own row: as the service writes, or of the same rows in a table without triggers. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { v7 as newId } from 'uuid'
import { cachedTables } from '../../services/cache-map.js'
import { ResourceRows } from '../../services/resource/sql/rows.js'
import { LoadQueue } from '../../services/resource/lists/load-queue.js'
import type { Queryable } from '../../services/database/database.js'
import { type Database, migrate, openDatabase, openJournal } from '../../services/database/index.js'
import { designs } from '../../services/designs/definition.js'
import { DesignService } from '../../services/designs/service.js'
import { resources } from '../../services/domains.js'
import { VersionTokens } from '../../services/version-token.js'
import type { Contenders, OpenContender, Sample } from '../harness/contender.js'
import { openEngine } from './roundhouse.js'

const CLIENTS = 32
const NEW_DESIGN = { filename: 'design.png', file_path: 'designs/design.png', platform: 'etsy' } as const
/** Of a turn: goes by before it counts. */
const RUN_UP = 0.25

/** The same columns, constraints and indexes, and no triggers of the cache. */
const PLAIN = `create table if not exists plain_designs (like designs including all);
  alter table plain_designs drop constraint if exists plain_designs_owner,
    add constraint plain_designs_owner foreign key (user_id) references users (id) on delete cascade`
const OTHER = 'create table if not exists other_rows (id integer primary key, text text not null)'

interface OwnedId {
  readonly userId: string
  readonly id: string
}

/** Commits one write of this client. */
type Write = (client: number, text: string) => Promise<unknown>

interface Writer {
  readonly write: Write
  readonly close?: () => Promise<void>
}

interface Parts {
  readonly database: Database
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly rows: readonly OwnedId[]
}

const open =
  (openWriter: (parts: Parts) => Promise<Writer>, { isOneUser = false } = {}): OpenContender =>
  async ({ databaseUrl, redisUrl }) => {
    const database = await openDatabase({ url: String(databaseUrl), dataDir: '', poolSize: CLIENTS })
    await migrate(database, cachedTables)
    const rows = await makeDesigns(database, isOneUser)
    const parts = { database, databaseUrl: String(databaseUrl), redisUrl: String(redisUrl), rows }
    const { write, close } = await openWriter(parts)
    return {
      turns: Object.fromEntries(
        [1, 8, CLIENTS].map((clients) => [
          String(clients),
          (ms: number, perSecond?: number) => commitsOf(write, { clients, ms, perSecond }),
        ]),
      ),
      async close() {
        await close?.()
        await database.close()
      },
    }
  }

let texts = 0

/** Every client commits one write after the other; all of them together at most `perSecond`. */
async function commitsOf(
  write: Write,
  { clients, ms, perSecond }: { clients: number; ms: number; perSecond: number | undefined },
): Promise<Sample> {
  const startedAt = performance.now()
  const countsFrom = startedAt + ms * RUN_UP
  const endsAt = startedAt + ms
  let begun = 0
  let commits = 0
  let cpuBefore: NodeJS.CpuUsage | undefined
  const client = async (n: number): Promise<void> => {
    for (;;) {
      const dueAt = perSecond === undefined ? 0 : startedAt + (1_000 * begun++) / perSecond
      const early = dueAt - performance.now()
      if (early > 0) await sleep(early)
      if (performance.now() >= endsAt) return
      await write(n, `text ${++texts}`)
      if (performance.now() < countsFrom) continue
      cpuBefore ??= process.cpuUsage()
      commits += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n)))
  const { user, system } = process.cpuUsage(cpuBefore)
  return { rate: (1_000 * commits) / (performance.now() - countsFrom), cpu: (user + system) / commits }
}

async function makeDesigns(database: Database, isOneUser: boolean): Promise<OwnedId[]> {
  const rows: OwnedId[] = []
  for (let n = 0; n < CLIENTS; n++) {
    const userId = isOneUser && rows[0] !== undefined ? rows[0].userId : await makeUser(database)
    const { row } = await cached.insert(database, userId, { ...NEW_DESIGN, tags: ['leaves'] })
    rows.push({ userId, id: row.id })
  }
  return rows
}

async function makeUser(database: Database): Promise<string> {
  const userId = newId()
  const text = 'insert into users (id, email, shop_name) values ($1::uuid, $2::text, $3::text)'
  await database.query({ name: 'bench.user', text, values: [userId, `${randomUUID()}@example.com`, 'A shop'] })
  return userId
}

const cached = new ResourceRows(designs, 'postgres')
const plain = new ResourceRows({ ...designs, name: 'plain_designs' }, 'postgres')

/** A pool as the service's, without what the service puts around it. */
async function barePool({ databaseUrl, rows }: Parts, setUp: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CLIENTS })
  const client = await pool.connect()
  // The contenders open one after the other; still, only one may make a table.
  await client.query(`select pg_advisory_lock(1); ${setUp}; select pg_advisory_unlock(1)`)
  const copy = 'insert into plain_designs select * from designs where id = any($1) on conflict do nothing'
  if (setUp === PLAIN) await client.query(copy, [rows.map(({ id }) => id)])
  client.release()
  return pool
}

function on(client: { query: (text: string, values: unknown[]) => Promise<{ rows: unknown[] }> }): Queryable {
  return {
    query: async <Row extends object>({ text, values = [] }: { text: string; values?: readonly unknown[] }) =>
      (await client.query(text, [...values])).rows as Row[],
  }
}

const coherent = async ({ database, redisUrl, rows }: Parts): Promise<Writer> => {
  const journal = openJournal(database, { tables: cachedTables, tailTimeoutMs: 1_000 })
  const { cache, close } = await openEngine({ memoryItems: 1_000, redisUrl, journal })
  const tokens = new VersionTokens('a secret of the benchmark')
  const versionOf = (transaction: number): string => tokens.seal(cache.version(transaction))
  const dependencies = {
    database,
    cache,
    versionOf,
    resources,
    loadQueue: new LoadQueue(),
    bulkQueue: new LoadQueue({ mostAtOnce: 1 }),
  }
  const service = new DesignService(dependencies)
  return {
    write: (client, description) => service.update(rows[client]!.userId, rows[client]!.id, { description }),
    close,
  }
}

export const contenders: Contenders = {
  'coherent write': open(coherent),
  'coherent write, all of one user': open(coherent, { isOneUser: true }),
  'begin; update; commit': open(async (parts) => {
    const pool = await barePool(parts, PLAIN)
    return {
      async write(n, description) {
        const { userId, id } = parts.rows[n]!
        const client = await pool.connect()
        await client.query('begin')
        await plain.update(on(client), userId, id, { description }, undefined)
        await client.query('commit')
        client.release()
      },
      close: () => pool.end(),
    }
  }),
  'one update': open(async (parts) => {
    const pool = await barePool(parts, PLAIN)
    return {
      write: (n, description) =>
        plain.update(on(pool), parts.rows[n]!.userId, parts.rows[n]!.id, { description }, undefined),
      close: () => pool.end(),
    }
  }),
  'another table': open(async (parts) => {
    const pool = await barePool(parts, OTHER)
    await pool.query(
      `insert into other_rows select n, '' from generate_series(0, ${CLIENTS - 1}) n on conflict do nothing`,
    )
    return {
      write: (n, text) => pool.query('update other_rows set text = $2 where id = $1', [n, text]),
      close: () => pool.end(),
    }
  }),
}
