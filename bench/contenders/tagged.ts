/** One tag on everything, invalidated: how long that takes, and how long the event loop is held. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contenders, OpenContender } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { itemOf, keysOf } from './items.js'

const FILL_AT_ONCE = 64
/** As long as entries may still be freed in the background. */
const AFTERMATH_MS = 500

const open =
  (name: string): OpenContender =>
  async ({ keys: keyCount, redisUrl, databaseUrl }) => {
    const count = Number(keyCount)
    let loads = 0
    const openCache = await openerOf(name)
    const cache = await openCache({
      keys: keysOf(count, name),
      memoryItems: count,
      redisUrl: redisUrl === undefined ? undefined : String(redisUrl),
      ...(databaseUrl !== undefined && { databaseUrl: String(databaseUrl) }),
      load: (key) => {
        loads += 1
        return Promise.resolve(itemOf(key))
      },
      isTagged: true,
      commandTimeoutMs: 10_000,
    })
    const fill = async (): Promise<void> => {
      for (let n = 0; n < count; n += FILL_AT_ONCE) {
        const batch = Math.min(FILL_AT_ONCE, count - n)
        await Promise.all(Array.from({ length: batch }, (_, at) => cache.get(n + at)))
      }
    }
    return {
      turns: {
        async invalidate() {
          await cache.settled?.()
          await fill()
          await cache.settled?.()
          globalThis.gc?.()
          const delay = monitorEventLoopDelay({ resolution: 1 })
          delay.enable()
          await sleep(20)
          delay.reset()
          const startedAt = performance.now()
          const told = await cache.invalidateAll?.()
          const ms = performance.now() - startedAt
          await sleep(AFTERMATH_MS)
          delay.disable()
          loads = 0
          await cache.get(0)
          if (loads === 0) throw new Error(`${name} answered from before the invalidation`)
          const commit = told?.commit ?? 0
          return { ms, commit, own: ms - commit, p99: delay.percentile(99) / 1e6, longest: delay.max / 1e6 }
        },
      },
      close: () => cache.close(),
    }
  }

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
