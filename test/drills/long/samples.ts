import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Series } from './flatness.js'
import type { Stage } from '../stage.js'

/** A replica or a server that is stopped answers nothing: that sample is left out. */
const PATIENCE_MS = 3_000
const MB = 1e6

/** Whose rows the drill makes more and more of. */
const ROWS = ['users', 'tokens', 'templates', 'designs', 'mockups']

/** The table of changes is kept for days: it grows with every write until the first are old. So does what the drill itself notes of writes. */
const OWN_TABLES = `('cache_journal', 'changes', 'drill_committed')`
const SIZES = `
  select (select count(*) from cache_journal) as journal_rows,
    pg_total_relation_size('cache_journal') as journal_bytes,
    pg_total_relation_size('changes') as changes_bytes,
    (select count(*) from changes) as changes_rows,
    ${ROWS.map((table) => `(select count(*) from ${table})`).join(' + ')} as catalogue_rows,
    sum(pg_table_size(oid)) filter (where relname not in ${OWN_TABLES}) as table_bytes,
    sum(pg_indexes_size(oid)) filter (where relname not in ${OWN_TABLES}) as index_bytes
  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`

/** Takes a sample of everything that could grow, every so often. */
export class Samples {
  readonly #stage: Stage
  readonly #startedAt = performance.now()
  readonly #series = new Map<string, { unit: Series['unit']; points: [number, number][] }>()
  readonly #ending = new AbortController()
  readonly #running: Promise<void>

  constructor(stage: Stage, everyMs: number) {
    this.#stage = stage
    this.#running = this.#run(everyMs)
  }

  get series(): Series[] {
    return [...this.#series].map(([name, { unit, points }]) => ({ name, unit, points }))
  }

  async end(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  async #run(everyMs: number): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await Promise.all([...this.#stage.replicas.keys()].map((index) => this.#ofReplica(index)))
      await Promise.all([this.#ofPostgres(), this.#ofRedis()].map((work) => work.catch(() => undefined)))
      await sleep(everyMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    }
  }

  async #ofReplica(index: number): Promise<void> {
    const replica = this.#stage.replicas[index]
    const figures = await replica?.figures()
    if (replica === undefined || figures === undefined) return
    const add = (name: string, value: number, unit: Series['unit'] = ''): void =>
      this.#add(`replica ${index}: ${name}`, value, unit)
    add('resident', figures.residentBytes / MB, 'MB')
    add('heap after a collection', figures.heapBytes / MB, 'MB')
    add('handles', figures.handles)
    const files = openFiles(replica.pid)
    if (files !== undefined) add('open files', files)
    add('event loop late, p99', figures.loopDelayP99Ms, 'ms')
  }

  async #ofPostgres(): Promise<void> {
    const [sizes] = (await inTime(this.#stage.sql<Record<string, string>>(SIZES))) ?? []
    if (sizes === undefined) return
    this.#add('journal rows', Number(sizes['journal_rows']))
    for (const name of ['journal', 'table', 'index', 'changes']) {
      this.#add(`${name} bytes`, Number(sizes[`${name}_bytes`]) / MB, 'MB')
    }
    this.#add('changes rows', Number(sizes['changes_rows']))
    const rows = Number(sizes['catalogue_rows'])
    this.#add('catalogue rows', rows)
    for (const name of ['table', 'index']) this.#add(`${name} bytes a row`, Number(sizes[`${name}_bytes`]) / rows)
  }

  async #ofRedis(): Promise<void> {
    const answer = this.#stage.askRedis(async (redis) => [await redis.dbsize(), await redis.info('memory')] as const)
    const [keys, info] = (await inTime(answer)) ?? []
    if (keys === undefined) return
    this.#add('Redis keys', keys)
    this.#add('Redis memory', Number(/used_memory:(\d+)/.exec(info ?? '')?.[1]) / MB, 'MB')
  }

  #add(name: string, value: number, unit: Series['unit'] = ''): void {
    const series = this.#series.get(name) ?? { unit, points: [] }
    this.#series.set(name, series)
    series.points.push([(performance.now() - this.#startedAt) / 60_000, value])
  }
}

/** `undefined` when it takes too long, or fails. */
async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  return Promise.race([work.catch(() => undefined), sleep(PATIENCE_MS, undefined, { ref: false })])
}

/** Where there is no /proc, there is no such figure. */
function openFiles(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined
  }
}
