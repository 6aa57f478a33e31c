import { cacheReport, domainReports } from './cache-report.js'
import type { Clock, TieredCache } from './cache/index.js'
import type { Database } from './database/database.js'

export type ServiceStatus = 'healthy' | 'degraded' | 'unhealthy'

/** The body of `GET /api/cache/health`. */
export interface Health {
  readonly status: ServiceStatus
  readonly state: TieredCache['state']
  readonly last_check: string
  readonly uptime_seconds: number
  readonly cache_health: {
    readonly redis: string
    readonly memory: string
    readonly journal: string
    /** How news of other replicas come; without them the bound alone holds. */
    readonly announcements: string
    readonly database: string
    readonly overall: ServiceStatus
  }
  readonly performance_stats: {
    readonly hits: number
    readonly misses: number
    readonly hit_rate_percent: number
    readonly redis_available: boolean
    readonly enabled: boolean
  }
  readonly state_changes: Record<string, number>
}

/** A finding is shared between callers for this long, so that any number of callers costs one probe a second. */
const SHARED_MS = 1_000
/** What does not answer a probe within this is unavailable. */
const PROBE_LIMIT_MS = 500

interface Parts {
  readonly cache: TieredCache
  readonly database: Database
  /** Rejects when Redis does not answer; `undefined` when none is configured. */
  readonly pingRedis: (() => Promise<unknown>) | undefined
  readonly clock: Clock
}

/** Tells whether this replica can serve, from probes with a time limit. Never rejects. */
export class HealthProbe {
  readonly #parts: Parts
  readonly #startedAt: number
  #shared: { readonly at: number; readonly health: Promise<Health> } | undefined
  /** When the last probe finished, ISO 8601. */
  lastCheck: string

  constructor(parts: Parts) {
    this.#parts = parts
    this.#startedAt = parts.clock.now()
    this.lastCheck = new Date(parts.clock.wallMs()).toISOString()
  }

  check(): Promise<Health> {
    const now = this.#parts.clock.now()
    if (this.#shared === undefined || now - this.#shared.at >= SHARED_MS) {
      this.#shared = { at: now, health: this.#probe() }
    }
    return this.#shared.health
  }

  /** What `GET /api/cache/stats` answers. */
  async stats() {
    const { status, last_check } = await this.check()
    const stats = this.#parts.cache.stats()
    return {
      service_status: status,
      last_health_check: last_check,
      cache_stats: cacheReport(stats),
      domains: domainReports(stats),
    }
  }

  async #probe(): Promise<Health> {
    const { cache, database, pingRedis, clock } = this.#parts
    const [isDatabaseUp, isRedisUp] = await Promise.all([
      this.#answers(() => database.query({ name: 'health.probe', text: 'select 1 as one' })),
      pingRedis === undefined ? undefined : this.#answers(pingRedis),
    ])
    const { state, redis: tier, memory, journal, announcements, stateChanges } = cache.health()
    const redis = tier === 'healthy' && isRedisUp === false ? 'unavailable' : tier
    const { hits, misses, hit_rate_percent, redis_available, enabled } = cacheReport(cache.stats())
    const isWhole = [redis, journal, announcements].every((part) => part === 'healthy' || part === 'disabled')
    const status = !isDatabaseUp ? 'unhealthy' : isWhole ? 'healthy' : 'degraded'
    this.lastCheck = new Date(clock.wallMs()).toISOString()
    return {
      status,
      state,
      last_check: this.lastCheck,
      uptime_seconds: Math.floor((clock.now() - this.#startedAt) / 1_000),
      cache_health: {
        redis,
        memory,
        journal,
        announcements,
        database: isDatabaseUp ? 'healthy' : 'unavailable',
        overall: status,
      },
      performance_stats: { hits, misses, hit_rate_percent, redis_available, enabled },
      state_changes: stateChanges,
    }
  }

  async #answers(probe: () => Promise<unknown>): Promise<boolean> {
    let cancel: (() => void) | undefined
    const overdue = new Promise<false>((resolve) => {
      cancel = this.#parts.clock.after(PROBE_LIMIT_MS, () => resolve(false))
    })
    const answer = probe().then(
      () => true,
      () => false,
    )
    return Promise.race([answer, overdue]).finally(() => cancel?.())
  }
}
