import pg from 'pg'
import type { Test } from 'tap'
import {
  type CachedTable,
  type CacheOptions,
  createJournal,
  installJournal,
  openCache,
  type ReplicaState,
  type TieredCache,
} from '../../../services/cache/index.js'
import { type PostgresServer, startPostgres } from '../servers/postgres.js'

const TABLES: readonly CachedTable[] = [
  { table: 'things', row: 'things/{id}', list: '{owner}/things', owner: '{owner}/all' },
]

/** H of these tests, in ms: long enough for a busy machine. */
export const REAL_BOUND_MS = 1_000

/** A server with a cached table, and as many caches over it as a test opens. Nothing is announced: what is heard, the journal tells. */
export class RealDatabase {
  readonly server: PostgresServer
  readonly pool: pg.Pool
  readonly #test: Test

  private constructor(test: Test, server: PostgresServer, url: string) {
    this.#test = test
    this.server = server
    this.pool = poolOf(url)
  }

  static async start(t: Test, settings: Readonly<Record<string, string>> = {}): Promise<RealDatabase> {
    const server = await startPostgres(settings)
    const database = new RealDatabase(t, server, await server.createDatabase())
    t.teardown(async () => {
      await database.pool.end()
      await server.stop()
    })
    await database.pool.query('create table things (id text primary key, owner text, note text)')
    const client = await database.pool.connect()
    await client.query('begin')
    await installJournal(client, TABLES)
    await client.query('commit')
    client.release()
    return database
  }

  /** As somebody at a psql prompt. */
  async sql(text: string): Promise<Record<string, unknown>[]> {
    return (await this.pool.query<Record<string, unknown>>(text)).rows
  }

  async openCache(options: Partial<CacheOptions> = {}): Promise<RealCache> {
    const tail = new pg.Pool({ ...this.pool.options, max: 1, query_timeout: REAL_BOUND_MS })
    tail.on('error', () => {})
    const states: ReplicaState[] = []
    let identities = 0
    const cache = await openCache({
      journal: createJournal({ sql: this.pool, tail, tables: TABLES, close: () => tail.end() }),
      boundMs: REAL_BOUND_MS,
      events: { onState: ({ to }) => void states.push(to), onIdentity: () => void (identities += 1) },
      ...options,
    })
    this.#test.teardown(() => cache.close())
    return new RealCache(this.pool, cache, states, () => identities)
  }
}

/** One replica's cache of the table `things`. */
export class RealCache {
  readonly cache: TieredCache
  readonly states: readonly ReplicaState[]
  readonly #pool: pg.Pool
  readonly #identities: () => number

  constructor(pool: pg.Pool, cache: TieredCache, states: readonly ReplicaState[], identities: () => number) {
    this.#pool = pool
    this.cache = cache
    this.states = states
    this.#identities = identities
  }

  /** How many identities it has come to know. */
  get identities(): number {
    return this.#identities()
  }

  /** `note: outcome`. */
  async read(id: string): Promise<string> {
    const options = { tags: [`things/${id}`, 'u/all'] }
    const { value = 'nothing', outcome } = await this.cache.getOrLoad(id, options, async () => {
      const { rows } = await this.#pool.query<{ note: string }>('select note from things where id = $1', [id])
      return rows[0]?.note
    })
    return `${value}: ${outcome}`
  }
}

function poolOf(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4, connectionTimeoutMillis: 2_000, query_timeout: 2_000 })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}
