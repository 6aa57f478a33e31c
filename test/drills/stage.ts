import pg from 'pg'
import { Redis } from 'ioredis'
import { until } from '../helpers/deadline.js'
import { runSql } from '../helpers/run-sql.js'
import { startPostgres, type PostgresServer } from '../helpers/servers/postgres.js'
import { type RedisServer, startRedis } from '../helpers/servers/redis.js'
import { Link } from './link.js'
import { ReplicaProcess } from './replica-process.js'
import { COMMITTED_WRITES } from './final-check.js'
import type { VerifierCounts } from '../../services/cache/verifier.js'

export const ADMIN_TOKEN = 'an-admin-token-of-the-drill-0123456789'

/** Few enough that memory evicts and Redis is read all the time. */
const MEMORY_ITEMS = 200
const RESTART_PAUSE_MS = 100
/** So many hits that those looked at again are as many a second as they may be. */
const VERIFY_SHARE = 0.2

/** What the replicas stand on. */
export interface Servers {
  readonly postgres: PostgresServer
  readonly redis: RedisServer
  /** Where the links to Redis lead, if not to the port of {@link Servers.redis}. */
  readonly linkedRedisPort?: number
  /** For who looks past every link; it leads to whatever is the primary. */
  readonly databaseUrl: string
  /** Settings of every replica in place of those that lead to these two by links; of the address over the replica's link, if need be. */
  readonly env?: (addresses: { readonly databaseUrl: string; readonly redisPort: number }) => Record<string, string>
  stop(): Promise<void>
}

/** One PostgreSQL and one Redis. */
export async function plainServers(): Promise<Servers> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  const stop = async (): Promise<void> => void (await Promise.all([redis.stop(), postgres.stop()]))
  return { postgres, redis, databaseUrl: await postgres.createDatabase(), stop }
}

export interface UnexpectedExit {
  readonly replica: number
  readonly how: string
  readonly log: string
}

/** The servers, the replicas and the links between them. */
export class Stage {
  readonly redisLinks: Link[] = []
  readonly postgresLinks: Link[] = []
  readonly replicas: ReplicaProcess[] = []
  readonly unexpectedExits: UnexpectedExit[] = []
  #isClosing = false

  private constructor(readonly servers: Servers) {
    // A stopped process does not notice that its parent is gone.
    process.once('exit', () => this.replicas.forEach((replica) => replica.killNow()))
  }

  /** When it fails, nothing goes on running: the servers neither. */
  static async open(options: {
    readonly replicas: number
    readonly boundMs: number
    readonly servers: Servers
  }): Promise<Stage> {
    const { replicas, boundMs, servers } = options
    const stage = new Stage(servers)
    try {
      for (let n = 0; n < replicas; n++) await stage.#addReplica(n, boundMs)
      await stage.sql(COMMITTED_WRITES)
      return stage
    } catch (error) {
      await stage.close()
      throw error
    }
  }

  get postgres(): PostgresServer {
    return this.servers.postgres
  }

  get redis(): RedisServer {
    return this.servers.redis
  }

  /** Past every link. */
  get databaseUrl(): string {
    return this.servers.databaseUrl
  }

  get verified(): VerifierCounts {
    const sum = { confirmed: 0, missed: 0, undecided: 0 }
    for (const { verified } of this.replicas) {
      sum.confirmed += verified.confirmed
      sum.missed += verified.missed
      sum.undecided += verified.undecided
    }
    return sum
  }

  /** Past every link. */
  sql<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    return runSql<Row>(this.databaseUrl, text)
  }

  /**
   * Resolves once the server has ended every connection because of `cause` and takes new ones. A replica may call
   * itself coherent all the while, as its last news is younger than the bound.
   */
  async crashRestart(cause: () => void): Promise<void> {
    const witness = new pg.Client(this.databaseUrl)
    witness.on('error', () => {})
    await witness.connect()
    // events.once would reject, as an error comes first.
    const ended = new Promise((resolve) => witness.once('end', resolve))
    cause()
    await ended
    const answers = (): Promise<boolean> =>
      this.sql('select 1').then(
        () => true,
        () => false,
      )
    await until(answers, { timeoutMs: 20_000, describe: 'PostgreSQL has recovered' })
  }

  /** Asks Redis past every link. */
  async askRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.redis.url, { maxRetriesPerRequest: 1 })
    redis.on('error', () => {})
    return work(redis).finally(() => redis.disconnect())
  }

  async areWell(): Promise<boolean> {
    const reports = await Promise.all(this.replicas.map((replica) => replica.report()))
    return reports.every((report) => report?.isWell)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.redis.resume()
    for (const replica of this.replicas) await replica.kill()
    for (const link of [...this.redisLinks, ...this.postgresLinks]) link.close()
    await this.servers.stop()
  }

  async #addReplica(index: number, boundMs: number): Promise<void> {
    const [redisLink, postgresLink] = await Promise.all([
      Link.open(this.servers.linkedRedisPort ?? this.redis.port),
      Link.open(this.postgres.port),
    ])
    this.redisLinks.push(redisLink)
    this.postgresLinks.push(postgresLink)
    const database = new URL(this.databaseUrl)
    database.port = String(postgresLink.port)
    const replica = await ReplicaProcess.start({
      env: {
        ADMIN_TOKENS: ADMIN_TOKEN,
        DATABASE_URL: database.href,
        REDIS_URL: `redis://127.0.0.1:${redisLink.port}`,
        ...this.servers.env?.({ databaseUrl: database.href, redisPort: redisLink.port }),
        CACHE_STALENESS_BOUND_MS: String(boundMs),
        CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS),
        CACHE_VERIFY_SHARE: String(VERIFY_SHARE),
      },
      onUnexpectedExit: (end) => {
        if (this.#isClosing) return
        this.unexpectedExits.push({ replica: index, ...end })
        void this.#startAgain(replica)
      },
    })
    this.replicas.push(replica)
  }

  /** As the platform does with a replica that ended. */
  async #startAgain(replica: ReplicaProcess): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS))
    if (!this.#isClosing) await replica.start().catch(() => undefined)
  }
}
