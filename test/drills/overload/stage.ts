import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type PostgresServer, startPostgres } from '../../helpers/servers/postgres.js'
import { type RedisServer, startRedis } from '../../helpers/servers/redis.js'
import { Seeded } from '../../helpers/seeded.js'
import { ReleaseProcess } from '../deploy/release-process.js'
import { currentRelease } from '../deploy/releases.js'
import { Load, type LoadResult, pin, prefer, type Slice, SLICE_MS, type StreamOrder } from './load.js'
import { hitsOf, missesOf, type Tenant, Tenants, writesOf } from './tenants.js'

export interface StageOptions {
  readonly seed: number
  /** How long each phase is. */
  readonly seconds: number
  /** The service on the first core, the generators on the last one. */
  readonly isPinned: boolean
  /** No longer than it takes to see that all is still there. */
  readonly isShort: boolean
  readonly log: (line: string) => void
}

/** Highest rates of this machine, one after the other, a second. */
export interface Rates {
  readonly hits: number
  /** Four uncached lists and a write, again and again. */
  readonly database: number
  readonly misses: number
  readonly writes: number
}

export const ADMIN_TOKEN = 'an-admin-token-of-the-drill-0123456789'
/** What is asked for again and again; what the flood asks for and changes; who is watched; who has long lists. */
interface Cast {
  readonly readers: readonly Tenant[]
  readonly flooders: readonly Tenant[]
  readonly others: readonly Tenant[]
  readonly large: readonly Tenant[]
}

const MEASURING_CONNECTIONS = 64
/** More than answers come in one turn of the event loop, or those who ask would wait for a connection and not for the service. */
const HIT_CONNECTIONS = 256
const WRITES_PER_MISSES = 1 / 4
/** A hit that takes longer is late; the rest may wait in the line. */
export const [HIT_LIMIT_MS, MISS_LIMIT_MS] = [50, 1_000]
/** As the deployment of `.railway` has it: the default of 1,000 would show the size of memory, and no overload. */
const SETTINGS = { CACHE_MAX_MEMORY_ITEMS: '50000', NODE_OPTIONS: '--max-old-space-size=716' }
/** A service has cores of its own; here PostgreSQL's ten backends, Redis and the flood have what it leaves. */
const SERVICE_PRIORITY = -10
/** For this long everything is as it should be, before it is said to be normal again. */
const NORMAL_SLICES = 1_000 / SLICE_MS

/** One PostgreSQL, one Redis, one service or more, and who asks it. */
export class OverloadStage {
  #rates: Rates | undefined
  #service: ReleaseProcess | undefined
  #cast: Cast | undefined
  readonly #release = currentRelease()

  private constructor(
    readonly options: StageOptions,
    readonly postgres: PostgresServer,
    readonly redis: RedisServer,
    readonly databaseUrl: string,
  ) {}

  static async start(options: StageOptions): Promise<OverloadStage> {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
    const stage = new OverloadStage(options, postgres, redis, await postgres.createDatabase())
    stage.#service = await stage.startService()
    const { port } = stage.#service
    const tenants = new Tenants({ port, adminToken: ADMIN_TOKEN, random: new Seeded(options.seed) })
    stage.#cast = {
      readers: await tenants.make(8, 50),
      flooders: await tenants.make(40, 10),
      others: await tenants.make(2, 50),
      large: await tenants.make(2, 100, { isLarge: true }),
    }
    tenants.close()
    await stage.#measure()
    return stage
  }

  get service(): ReleaseProcess {
    return known(this.#service)
  }

  get rates(): Rates {
    return known(this.#rates)
  }

  get cast(): Cast {
    return known(this.#cast)
  }

  /** One more replica. */
  async startService(): Promise<ReleaseProcess> {
    const addresses = { DATABASE_URL: this.databaseUrl, REDIS_URL: this.redis.url, ADMIN_TOKENS: ADMIN_TOKEN }
    const service = await ReleaseProcess.start(this.#release, { ...addresses, ...SETTINGS })
    if (this.options.isPinned) pin(service.pid, 0)
    prefer(service.pid, SERVICE_PRIORITY)
    return service
  }

  async stop(): Promise<void> {
    this.#service?.killNow()
    this.postgres.resume()
    await Promise.all([this.postgres.stop(), this.redis.stop()])
  }

  /** A load that is measured: hits at a share of the highest rate, and a few misses and writes of others that tell whether those go on. */
  async everyday(hitShare: number, { port = this.service.port } = {}): Promise<Load> {
    const { readers, others } = this.cast
    const probe = { connections: 100, isPatient: true, slowMs: MISS_LIMIT_MS }
    return this.load(
      [
        {
          name: 'hits',
          requests: hitsOf(readers),
          connections: HIT_CONNECTIONS,
          perSecond: hitShare * this.rates.hits,
          isPatient: true,
          slowMs: HIT_LIMIT_MS,
        },
        { name: 'misses', requests: missesOf(others), perSecond: 20, ...probe },
        { name: 'writes', requests: writesOf(others), perSecond: 10, ...probe },
      ],
      { isMeasuring: true, port },
    )
  }

  load(streams: readonly StreamOrder[], { isMeasuring = false, port = this.service.port } = {}): Promise<Load> {
    const core = this.options.isPinned ? availableParallelism() - 1 : undefined
    return Load.start({ port, streams }, { isMeasuring, core })
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client(this.databaseUrl)
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }

  /** Holds the table until the function that this resolves with is called. */
  async lock(table: string): Promise<() => Promise<void>> {
    const client = new pg.Client(this.databaseUrl)
    client.on('error', () => {})
    await client.connect()
    await client.query(`begin; lock table ${table} in access exclusive mode`)
    return () => client.end()
  }

  async #measure(): Promise<void> {
    const { readers, flooders } = this.cast
    const asFastAsItGoes = { connections: MEASURING_CONNECTIONS, slowMs: MISS_LIMIT_MS }
    const everyMisses = missesOf(flooders)
    const mixed = writesOf(flooders).flatMap((write, n) => [
      ...Array.from({ length: 1 / WRITES_PER_MISSES }, (_, m) => everyMisses[(n + m) % everyMisses.length] ?? ''),
      write,
    ])
    const hits = await this.#rateOf({ name: 'hits', requests: hitsOf(readers), ...asFastAsItGoes })
    const database = await this.#rateOf({ name: 'database', requests: mixed, ...asFastAsItGoes })
    const share = 1 / (1 + WRITES_PER_MISSES)
    this.#rates = { hits, database, misses: database * share, writes: database * (1 - share) }
    this.options.log(
      `highest rates: ${Math.round(hits)} hits/s; ${Math.round(database)} uncached lists and writes/s (4:1)`,
    )
  }

  async #rateOf(stream: StreamOrder): Promise<number> {
    const load = await this.load([stream])
    // Compiled by then, and what is asked for again in memory.
    await load.go('warm')
    await sleep(this.options.isShort ? 500 : 2_000)
    await load.phase('measured')
    await sleep(this.options.seconds * 1_000)
    const result = (await load.stop()).phases['measured']?.[stream.name]
    const failed = Object.values(result?.failures ?? {}).reduce((sum, count) => sum + count, 0)
    if (result === undefined || failed > 0)
      throw new Error(`${failed} requests failed while ${stream.name} were measured`)
    return result.answered.count / result.seconds
  }
}

/** Resident memory in MB, now. */
export function residentMB(pid: number): number {
  const kB = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kB) / 1_000
}

/** The largest of it until `end` is called. */
export class MemoryWatch {
  #most = 0
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    const look = (): void => void (this.#most = Math.max(this.#most, residentMB(pid)))
    look()
    this.#timer = setInterval(look, 100)
  }

  end(): number {
    clearInterval(this.#timer)
    return this.#most
  }
}

/**
 * What part of the time the service's own thread had a core, and what part it was ready and had none: what it does not answer in that
 * time is no fault of its own. From now until `end` is called.
 */
export class CoreWatch {
  readonly #pid: number
  readonly #from: readonly [number, number]
  readonly #startedAt = performance.now()

  constructor(pid: number) {
    this.#pid = pid
    this.#from = coreMs(pid)
  }

  end(): CoreUse {
    const ms = performance.now() - this.#startedAt
    const [ran, waited] = coreMs(this.#pid).map((now, n) => (now - (this.#from[n] ?? 0)) / ms)
    return { ran: ran ?? Number.NaN, waited: waited ?? Number.NaN }
  }
}

export interface CoreUse {
  readonly ran: number
  readonly waited: number
}

/** Of the main thread, in ms: on a core, and waiting for one. */
function coreMs(pid: number): readonly [number, number] {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').map(Number)
  return [(ran ?? 0) / 1e6, (waited ?? 0) / 1e6]
}

/** Seconds from `since` until nothing was refused and 1 % at most were slow, for a second; in each of the streams. */
export function secondsUntilNormal({ slices }: LoadResult, since: number): number {
  return Math.max(...Object.values(slices).map((all) => normalAgain(all, since)))
}

function normalAgain(slices: readonly Slice[], since: number): number {
  const after = slices.filter(({ at }) => at + SLICE_MS > since)
  const isNormal = ({ answers, refused, slow }: Slice): boolean => refused === 0 && slow <= answers / 100
  const first = after.findIndex((_, n) => {
    const next = after.slice(n, n + NORMAL_SLICES)
    return next.length === NORMAL_SLICES && next.every(isNormal)
  })
  const slice = after[first]
  return slice === undefined ? Number.POSITIVE_INFINITY : Math.max(0, slice.at - since) / 1_000
}

export function epochNow(): number {
  return performance.timeOrigin + performance.now()
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The stage has not been set')
  return value
}
