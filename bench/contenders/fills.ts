/** Turns over keys that no tier holds yet: each is looked up, loaded and stored. */
import { Redis } from 'ioredis'
import { rateOf, type Contenders, type OpenContender } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { OURS } from './names.js'
import { itemOf, keysOf } from './items.js'

/** As in hits.ts: a busy machine is not to be measured. */
const PATIENCE_MS = 2_000
/** Until the code of a miss is compiled. */
const WARM_UP_BATCHES = 300

const open =
  (name: string): OpenContender =>
  async ({ keys: keyCount, memoryItems, redisUrl, isSmoke }) => {
    const keys = keysOf(Number(keyCount), name)
    let loads = 0
    const openCache = await openerOf(name)
    const cache = await openCache({
      keys,
      memoryItems: Number(memoryItems),
      redisUrl: String(redisUrl),
      load: (key) => {
        loads += 1
        return Promise.resolve(itemOf(key))
      },
      ...(name === OURS && { commandTimeoutMs: PATIENCE_MS }),
    })
    const server = new Redis(String(redisUrl))
    let at = 0
    const together = (): Promise<unknown> => {
      const running: Promise<unknown>[] = []
      for (let n = 0; n < 64; n++) running.push(cache.get(at++ % keys.length))
      return Promise.all(running)
    }
    for (let n = 0; n < (isSmoke === true ? 1 : WARM_UP_BATCHES); n++) await together()
    return {
      turns: {
        '64': async (ms) => {
          await server.flushall()
          await cache.settled?.()
          loads = 0
          const startedAt = at
          const sample = await rateOf(ms, 64, together)
          if (loads < at - startedAt) throw new Error(`${name} loaded ${loads} of ${at - startedAt} missing keys`)
          return sample
        },
      },
      close: async () => {
        server.disconnect()
        await cache.close()
      },
    }
  }

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
