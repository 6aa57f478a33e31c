import type { Breaker } from './breaker.js'
import type { Clock } from './clock.js'
import type { RaisedTag } from './entry.js'
import type { JournalStore } from './journal-store.js'
import type { RedisClient } from './redis-client.js'
import type { RedisTier } from './redis-tier.js'
import { resync, type ResyncProgress } from './resync.js'

export interface RedisLinkOptions {
  readonly client: RedisClient
  readonly tier: RedisTier
  readonly breaker: Breaker
  readonly journal: JournalStore
  readonly clock: Clock
  /** H in ms: a voucher must not outlive it. */
  readonly boundMs: number
  readonly lookBackMs: number
  readonly clearVersion: () => number
  readonly onVoucher: (clearVersion: number) => void
  readonly onChange: () => void
}

/** After each of these a server may answer that lacks raises: another one, or the same with less in it. */
const LOSSES = ['close', '+node', '-node', 'node error'] as const
const PING_PAUSE_MS = 20
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/**
 * Whether Redis may be used: `live` only from a finished resync until the connection closes, a raise fails or the
 * breaker opens; then `down`, and a resync of its own before it is live again. No request waits for any of that.
 */
export class RedisLink {
  state: 'down' | 'resyncing' | 'live' = 'down'
  /** Why Redis is not in use, in words. */
  reason = 'not connected yet'
  progress: ResyncProgress = { done: 0, total: 0 }
  readonly #options: RedisLinkOptions
  /** Raises under way; a voucher waits for them. */
  readonly #raising = new Set<Promise<void>>()
  /** Counts losses: whatever began before one has nothing to say after it. */
  #generation = 0
  #isStopped = false
  #isSuspect = false
  #vouchedAt = Number.NEGATIVE_INFINITY
  #redisTime: { readonly ms: number; readonly at: number } | undefined

  constructor(options: RedisLinkOptions) {
    this.#options = options
  }

  start(): void {
    const { client } = this.#options
    client.on('ready', this.#onReady)
    for (const event of LOSSES) client.on(event, this.#onLoss)
    if (!this.isConnected) return
    this.state = 'resyncing'
    this.#onReady()
  }

  stop(): void {
    const { client } = this.#options
    this.#isStopped = true
    this.#generation += 1
    this.state = 'down'
    client.off('ready', this.#onReady)
    for (const event of LOSSES) client.off(event, this.#onLoss)
  }

  get isConnected(): boolean {
    return this.#options.client.status === 'ready'
  }

  /** May reads use Redis, as far as this replica's own link goes? */
  get isTrusted(): boolean {
    return this.state === 'live' && !this.#isSuspect
  }

  /** Did some replica vouch for Redis within the last H? For a replica that does not follow the journal itself. */
  isVouched(now: number): boolean {
    return this.isConnected && !this.#isSuspect && now - this.#vouchedAt < this.#options.boundMs / 3
  }

  /**
   * A command failed: reads go without Redis until it answers a ping, so that no request waits for it twice. Pings that
   * fail count for the breaker, which puts Redis out of use altogether.
   */
  async suspect(): Promise<void> {
    if (this.#isSuspect) return
    this.#isSuspect = true
    const { client, breaker, clock } = this.#options
    const generation = this.#generation
    while (generation === this.#generation && !breaker.isOpen && this.isConnected) {
      try {
        await client.ping()
        break
      } catch (error) {
        breaker.failed(messageOf(error))
        await clock.sleep(PING_PAUSE_MS)
      }
    }
    this.#isSuspect = false
  }

  /** Stops using Redis at once; a resync starts as soon as it answers. */
  lost(reason: string): void {
    if (this.#isStopped) return
    this.#generation += 1
    this.#redisTime = undefined
    this.state = 'down'
    this.reason = reason
    this.#options.onChange()
    if (this.isConnected) void this.#recover()
  }

  /**
   * Raises in Redis, if it is in use, and waits for every raise under way: rows heard of before are among them.
   * A failure puts Redis out of use until a resync. Never rejects.
   */
  async raise(raised: readonly RaisedTag[]): Promise<void> {
    if (this.state === 'down') return
    if (raised.length > 0) {
      const failed = (error: unknown): void => this.lost(`a raise failed: ${messageOf(error)}`)
      const running = this.#options.tier.raise(raised).catch(failed)
      this.#raising.add(running)
      void running.then(() => this.#raising.delete(running))
    }
    await Promise.all(this.#raising)
  }

  /**
   * Vouches that Redis has all that the tail begun at `tailStartedAt` found. The voucher ends 2/3 H after that moment
   * on Redis's own clock, and is looked at every H/6 and believed for H/3, so that it is never believed for longer than H.
   */
  async vouch(tailStartedAt: number): Promise<void> {
    const { tier, clock, boundMs, clearVersion } = this.#options
    const generation = this.#generation
    await Promise.all(this.#raising)
    if (this.state !== 'live' || generation !== this.#generation) return
    const known = this.#redisTime
    const validUntil = known === undefined ? 0 : known.ms + (tailStartedAt - known.at) + (boundMs * 2) / 3
    try {
      const ms = await tier.vouch(clearVersion(), validUntil)
      if (generation === this.#generation) this.#redisTime = { ms, at: clock.now() }
    } catch {
      // Counted by the breaker; without a voucher the others do without Redis, which is safe.
    }
  }

  async checkVoucher(): Promise<void> {
    const { tier, clock, onVoucher } = this.#options
    if (!this.isConnected) return
    const startedAt = clock.now()
    const generation = this.#generation
    try {
      const clearVersion = await tier.readVoucher()
      if (clearVersion === undefined || generation !== this.#generation) return
      onVoucher(clearVersion)
      this.#vouchedAt = startedAt
    } catch {
      // Counted by the breaker; not vouched for.
    }
  }

  readonly #onReady = (): void => {
    void this.#recover()
  }

  readonly #onLoss = (): void => {
    this.#vouchedAt = Number.NEGATIVE_INFINITY
    this.lost('a connection closed or failed over')
  }

  async #recover(): Promise<void> {
    const { client, tier, breaker, journal, clock, lookBackMs, onChange } = this.#options
    this.#generation += 1
    const generation = this.#generation
    const isWanted = (): boolean => generation === this.#generation
    for (
      let pauseMs = FIRST_PAUSE_MS;
      isWanted() && this.isConnected;
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    ) {
      try {
        await client.ping()
        if (!isWanted()) return
        breaker.close()
        this.state = 'resyncing'
        onChange()
        await resync({
          journal,
          redis: tier,
          lookBackMs,
          isWanted,
          onProgress: (progress) => (this.progress = progress),
        })
        if (!isWanted()) return
        this.state = 'live'
        onChange()
        return
      } catch (error) {
        if (!isWanted()) return
        this.state = 'down'
        this.reason = messageOf(error)
        onChange()
        await clock.sleep(pauseMs)
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
