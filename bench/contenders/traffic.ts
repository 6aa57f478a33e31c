/** A stretch of traffic by Zipf's law through cold tiers: 64 readers, each asking for the next key when it has its answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Contenders, OpenContender, Sample } from '../harness/contender.js'
import { CACHE_NAMES, openerOf } from './caches.js'
import { OURS } from './names.js'
import { itemOf, keysOf, zipfOrder } from './items.js'

const READERS = 64
const PATIENCE_MS = 2_000

const open =
  (name: string): OpenContender =>
  async ({ keys: keyCount, requests, memoryItems, redisUrl, exponent, loadMs, seed }) => {
    const keys = keysOf(Number(keyCount), name)
    const order = zipfOrder(Number(seed), keys.length, Number(requests), Number(exponent))
    const openCache = await openerOf(name)
    const server = new Redis(String(redisUrl))
    let loads = 0

    /** Each turn has a cache of its own, so that it begins cold. */
    const traffic = async (): Promise<Sample> => {
      await server.flushall()
      loads = 0
      const cache = await openCache({
        keys,
        memoryItems: Number(memoryItems),
        redisUrl: String(redisUrl),
        load: async (key) => {
          loads += 1
          await sleep(Number(loadMs))
          return itemOf(key)
        },
        ...(name === OURS && { commandTimeoutMs: PATIENCE_MS }),
      })
      await cache.settled?.()
      const cpuBefore = process.cpuUsage()
      const startedAt = performance.now()
      let at = 0
      const read = async (): Promise<void> => {
        while (at < order.length) await cache.get(order[at++]!)
      }
      await Promise.all(Array.from({ length: READERS }, read))
      const seconds = (performance.now() - startedAt) / 1_000
      const { user, system } = process.cpuUsage(cpuBefore)
      await cache.close()
      return { rate: order.length / seconds, cpu: (user + system) / order.length, loads }
    }
    return { turns: { traffic }, close: async () => server.disconnect() }
  }

export const contenders: Contenders = Object.fromEntries(CACHE_NAMES.map((name) => [name, open(name)]))
