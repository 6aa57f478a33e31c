/** Reads of a key nobody holds while Redis does not answer: the benchmark freezes it between the turns. */
import type { Contenders, OpenContender, Sample } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { itemOf, keysOf } from './items.js'

const GIVE_UP_MS = 10_000

// Some peers leave a failed command of theirs unhandled, which ends a process that does not catch it.
process.on('unhandledRejection', () => {})

const open =
  (name: string): OpenContender =>
  async ({ redisUrl, commandTimeoutMs }) => {
    const openCache = await openerOf(name)
    const cache = await openCache({
      keys: keysOf(1_000, name),
      memoryItems: 1_000,
      redisUrl: String(redisUrl),
      load: (key) => Promise.resolve(itemOf(key)),
      ...(commandTimeoutMs !== undefined && { commandTimeoutMs: Number(commandTimeoutMs) }),
    })
    let key = 0
    const read = async (): Promise<Sample> => {
      const startedAt = performance.now()
      const reading = cache.get(key++)
      reading.then(
        () => undefined,
        () => undefined,
      )
      let timer: NodeJS.Timeout | undefined
      const overdue = new Promise((resolve) => (timer = setTimeout(resolve, GIVE_UP_MS)))
      await Promise.race([reading.catch(() => undefined), overdue])
      clearTimeout(timer)
      return { ms: performance.now() - startedAt }
    }
    return {
      turns: {
        async working() {
          await cache.settled?.()
          return read()
        },
        hanging: read,
      },
      close: () => cache.close(),
    }
  }

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
