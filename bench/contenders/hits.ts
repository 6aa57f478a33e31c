/** Turns over keys that are all held: in memory, or in Redis where `memoryItems` is too small for them. */
import { rateOf, type Contenders, type OpenContender, type Sample } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { OURS } from './names.js'
import { itemOf, keysOf, uniformOrder } from './items.js'
import type { Opened } from './opened.js'

const ORDER_LENGTH = 1 << 16
const FILL_AT_ONCE = 64
/**
 * Ours gives a Redis command up after 100 ms; on a machine that others use as well a throughput run would measure
 * that instead. The timer is the same, only later.
 */
const PATIENCE_MS = 2_000
/** Until the code of a hit is compiled. */
const WARM_UP_BATCHES = 400

const open =
  (name: string): OpenContender =>
  async ({ keys: keyCount, memoryItems, redisUrl, seed, isSmoke }) => {
    const keys = keysOf(Number(keyCount), name)
    const openCache = await openerOf(name)
    const cache = await openCache({
      keys,
      memoryItems: Number(memoryItems),
      redisUrl: redisUrl === undefined ? undefined : String(redisUrl),
      load: (key) => Promise.resolve(itemOf(key)),
      ...(name === OURS && { commandTimeoutMs: PATIENCE_MS }),
    })
    for (let n = 0; n < keys.length; n += FILL_AT_ONCE) {
      const batch = Math.min(FILL_AT_ONCE, keys.length - n)
      await Promise.all(Array.from({ length: batch }, (_, at) => cache.get(n + at)))
    }
    const order = uniformOrder(Number(seed), keys.length, ORDER_LENGTH)
    let at = 0
    const next = (): number => order[at++ & (ORDER_LENGTH - 1)]!

    const oneAtATime = async (): Promise<void> => {
      for (let n = 0; n < 100; n++) await cache.get(next())
    }
    const together = (count: number) => (): Promise<unknown> => {
      const running: Promise<unknown>[] = []
      for (let n = 0; n < count; n++) running.push(cache.get(next()))
      return Promise.all(running)
    }
    for (let n = 0; n < (isSmoke === true ? 1 : WARM_UP_BATCHES); n++) await together(64)()
    return {
      turns: {
        one: (ms) => hitsOf(cache, ms, 100, oneAtATime),
        '64': (ms) => hitsOf(cache, ms, 64, together(64)),
        '512': (ms) => hitsOf(cache, ms, 512, together(512)),
        synchronous: (ms) =>
          rateOf(ms, ORDER_LENGTH, async () => {
            const found = cache.readNow?.(order)
            if (found !== ORDER_LENGTH) throw new Error(`${name} found ${found} of ${ORDER_LENGTH} without a promise`)
          }),
      },
      close: () => cache.close(),
    }
  }

/** `other` is the share of operations that were no hits, where the cache counts them. */
async function hitsOf(cache: Opened, ms: number, size: number, work: () => Promise<unknown>): Promise<Sample> {
  await cache.settled?.()
  const before = cache.hits?.()
  let asked = 0
  const sample = await rateOf(ms, size, () => {
    asked += size
    return work()
  })
  const after = cache.hits?.()
  if (before === undefined || after === undefined) return sample
  const hits = after.memory + after.redis - before.memory - before.redis
  return { ...sample, other: 1 - hits / asked }
}

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
