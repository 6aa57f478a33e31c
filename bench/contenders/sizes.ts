/** What entries take in memory, and what many hits leave behind. */
import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { TieredCache } from '../../services/cache/index.js'
import { designs } from '../../services/designs/definition.js'
import { type EntryAddress, ownerTag, ResourceAddresses } from '../../services/resource/addresses.js'
import { Document } from '../../services/documents/document.js'
import { until } from '../../test/helpers/deadline.js'
import type { Contenders, OpenContender, Sample } from '../harness/contender.js'
import { itemOf, keysOf, uniformOrder } from './items.js'
import { openEngine } from './roundhouse.js'
import { stillJournal } from './still-journal.js'

const OWNER = 'user'
const SETTLE_MS = 50
const CLEARED_WITHIN_MS = 60_000
const HITS_BETWEEN = 50_000
/** Documents differ in size by so many bytes: Redis takes memory in steps. */
const SPREAD = 512
const addresses = new ResourceAddresses(designs)

const open: OpenContender = async ({ entries, hits }) => {
  const count = Number(entries)
  const { cache, close } = await openEngine({ memoryItems: count, redisUrl: undefined, journal: stillJournal('sizes') })
  const keys = keysOf(count, 'sizes')
  const fill = async (): Promise<number> => {
    let bytes = 0
    for (const key of keys) {
      // Made anew, as each request makes its own: the strings that stay belong to the entry.
      const address = addresses.document(OWNER, key)
      const json = JSON.stringify(itemOf(key))
      bytes += json.length
      await cache.getOrLoad(address.key, address, () => Promise.resolve(new Document(flat(json), '"1-1"')))
    }
    return bytes
  }
  return {
    turns: {
      async bytes() {
        const before = await held()
        const textBytes = await fill()
        const perEntry = ((await held()) - before) / count
        return { perEntry, text: textBytes / count }
      },
      hits: () =>
        hitMany(
          cache,
          keys.map((key) => addresses.document(OWNER, key)),
          Number(hits),
        ),
      clear: () => clear(cache),
    },
    close,
  }
}

/** As a text that came from a socket or a serializer: in one piece, and nobody else's. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

async function held(): Promise<number> {
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.()
    await sleep(SETTLE_MS)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function hitMany(cache: TieredCache, addresses: readonly EntryAddress[], hits: number): Promise<Sample> {
  const order = uniformOrder(1, addresses.length, HITS_BETWEEN)
  const hitSome = async (): Promise<void> => {
    for (const n of order) {
      if (cache.peek(addresses[n]!.key) !== undefined) continue
      // The event loop stood still for longer than the bound: the next tail makes good for that.
      await until(() => cache.peek(addresses[n]!.key), { describe: 'memory is in use again' })
    }
    await setImmediate()
  }
  await hitSome()
  await held()
  const before = process.memoryUsage().rss
  for (let done = 0; done < hits; done += HITS_BETWEEN) await hitSome()
  await held()
  return { before: before / 1024 ** 2, growth: process.memoryUsage().rss / before }
}

/** Clears the one user, and goes on until memory is empty. */
async function clear(cache: TieredCache): Promise<Sample> {
  await held()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(SETTLE_MS)
  delay.reset()
  const startedAt = performance.now()
  await cache.invalidate([ownerTag(OWNER)])
  const ms = performance.now() - startedAt
  while (cache.stats().memoryItems > 0) {
    if (performance.now() - startedAt > CLEARED_WITHIN_MS) throw new Error('Memory is not freed')
    await sleep(1)
  }
  const freed = performance.now() - startedAt
  delay.disable()
  return { ms, freed, p99: delay.percentile(99) / 1e6, longest: delay.max / 1e6 }
}

/** What Redis takes for entries whose documents are of different sizes; leases are gone by then. */
const openInRedis: OpenContender = async ({ entries, redisUrl, leasesMs }) => {
  const count = Number(entries)
  const journal = stillJournal('sizes')
  const { cache, close } = await openEngine({
    memoryItems: 0,
    redisUrl: String(redisUrl),
    journal,
    commandTimeoutMs: 2_000,
  })
  const client = new Redis(String(redisUrl))
  const used = async (): Promise<number> => Number(/^used_memory_dataset:(\d+)/m.exec(await client.info('memory'))?.[1])
  return {
    turns: {
      async bytes() {
        await client.flushall()
        const before = await used()
        let documents = 0
        for (let n = 0; n < count; n++) {
          const address = addresses.document(randomUUID(), randomUUID())
          const json = JSON.stringify({ ...itemOf(address.key), notes: 'x'.repeat(n % SPREAD) })
          documents += json.length
          await cache.getOrLoad(address.key, address, () => Promise.resolve(new Document(json, '"1-1"')))
        }
        await sleep(Number(leasesMs))
        // A key that has expired is freed when it is asked for.
        for (let cursor = ''; cursor !== '0';)
          [cursor] = await client.scan(cursor === '' ? '0' : cursor, 'COUNT', 1_000)
        const keys = await client.dbsize()
        if (keys !== count) throw new Error(`Redis has ${keys} keys for ${count} entries`)
        return { perEntry: ((await used()) - before) / count, document: documents / count }
      },
    },
    close: async () => {
      client.disconnect()
      await close()
    },
  }
}

export const contenders: Contenders = { roundhouse: open, 'in Redis': openInRedis }
