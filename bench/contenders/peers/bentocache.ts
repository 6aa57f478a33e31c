import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { TTL_MS, type OpenCache } from '../opened.js'

/**
 * A bus beside the two tiers, as its documentation has it. Objects in memory instead of their text only where memory is
 * alone: beside Redis its own issue 111 breaks that setting.
 */
export const openBentocache: OpenCache = async ({ keys, memoryItems, redisUrl, load, commandTimeoutMs }) => {
  const clients: Redis[] = []
  const connection = (): Redis => {
    const client = new Redis(redisUrl ?? '', commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs })
    client.on('error', () => {})
    clients.push(client)
    return client
  }
  let store = bentostore()
  if (memoryItems > 0)
    store = store.useL1Layer(memoryDriver({ maxItems: memoryItems, serialize: redisUrl !== undefined }))
  if (redisUrl !== undefined) store = store.useL2Layer(redisDriver({ connection: connection() }))
  if (redisUrl !== undefined && memoryItems > 0)
    store = store.useBus(redisBusDriver({ connection: { ...connection().options } }))
  const cache = new BentoCache({ default: 'store', ttl: TTL_MS, stores: { store } })
  return {
    get: (n) => cache.getOrSet({ key: keys[n]!, factory: () => load(keys[n]!) }),
    close: async () => {
      for (const client of clients) client.disconnect()
    },
  }
}
