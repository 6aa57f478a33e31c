/** Many readers of a key that no tier holds, all at once; the loader takes its time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contenders, OpenContender } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { OURS } from './names.js'
import { itemOf, keysOf } from './items.js'

const KEYS = 1_000
/** Long enough that processes which do not begin at the same moment still overlap. */
export const LOAD_MS = 200
/** As in hits.ts: a busy machine is not to be measured. */
const PATIENCE_MS = 2_000

const open =
  (name: string): OpenContender =>
  async ({ memoryItems, redisUrl, readers, sharedId, startAt }) => {
    let loads = 0
    const openCache = await openerOf(name)
    const cache = await openCache({
      keys: keysOf(KEYS, `${String(sharedId)}-${name}`),
      memoryItems: Number(memoryItems),
      redisUrl: String(redisUrl),
      sharedId: String(sharedId),
      ...(name === OURS && { commandTimeoutMs: PATIENCE_MS }),
      load: async (key) => {
        loads += 1
        await sleep(LOAD_MS)
        return itemOf(key)
      },
    })
    await cache.settled?.()
    let key = Number(startAt)
    return {
      turns: {
        async cold() {
          await cache.settled?.()
          loads = 0
          const startedAt = performance.now()
          await Promise.all(Array.from({ length: Number(readers) }, () => cache.get(key % KEYS)))
          key += 1
          return { loads, ms: performance.now() - startedAt }
        },
      },
      close: () => cache.close(),
    }
  }

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
