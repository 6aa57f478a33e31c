import { once } from 'node:events'
import fastifyRedis from '@fastify/redis'
import fp from 'fastify-plugin'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Config } from './config.js'

/** How long start-up waits for Redis before the service goes on without it, in ms. */
const FIRST_CONNECT_MS = 1_000

/**
 * `fastify.redis`, when a Redis is configured: one client, connected or not, from the start to the end. The service starts
 * without Redis, and the cache takes it up when it comes.
 *
 * @fastify/redis decorates with a client that is ready. Given any other it holds the start up until that is, and ends
 * a client whose host has no address yet; so what is not ready (or a cluster, for which it has no type) is decorated here.
 */
export default fp(
  async (fastify) => {
    const { redis } = fastify.config
    if (redis === undefined) return
    const client = createClient(redis, fastify.config.redisCommandTimeoutMs)
    // Every failed command rejects and is counted by the cache; without a listener each one would end up on stderr too.
    client.on('error', (error: Error) => fastify.log.debug({ err: error }, 'Redis client'))
    fastify.addHook('onClose', () => client.disconnect())
    const isReady = await connect(client)
    if (isReady && client instanceof Redis) await fastify.register(fastifyRedis, { client, closeClient: false })
    else fastify.decorate<unknown, string>('redis', client)
  },
  { name: 'redis', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

/** A command of this client rejects within its time limit, at once while not connected, and is never sent again. */
function createClient(
  { url, cluster, sentinels }: NonNullable<Config['redis']>,
  commandTimeout: number,
): Redis | Cluster {
  const options = {
    commandTimeout,
    connectTimeout: 2_000,
    socketTimeout: 5_000,
    maxRetriesPerRequest: 1,
    // Its INFO falls under the command's time limit, so that a busy machine never gets ready; the cache pings for itself.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Leases and fills of one turn leave in one piece: a miss costs half. Reads are gathered by the cache, which waits for nobody alone.
    enableAutoPipelining: true,
    autoPipeliningIgnoredCommands: ['mget', 'get', 'ping'],
    family: 0,
    keepAlive: 10_000,
    connectionName: 'roundhouse',
    lazyConnect: true,
    retryStrategy: backoff,
  } satisfies RedisOptions
  if (cluster) {
    return new Cluster(url === undefined ? [] : [url], {
      redisOptions: { ...options, ...credentials(url) },
      enableOfflineQueue: false,
      lazyConnect: true,
      clusterRetryStrategy: backoff,
    })
  }
  if (sentinels !== undefined) {
    return new Redis({
      ...options,
      ...credentials(url),
      sentinels: sentinels.addresses,
      name: sentinels.master,
      sentinelRetryStrategy: backoff,
    })
  }
  return url === undefined ? new Redis(options) : new Redis(url, options)
}

/** What a URL says beside host and port, for clients that learn their hosts elsewhere. */
function credentials(url: string | undefined): Pick<RedisOptions, 'username' | 'password' | 'tls' | 'db'> {
  if (url === undefined) return {}
  const { username, password, protocol, pathname } = new URL(url)
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    ...(/^\/\d+$/.test(pathname) ? { db: Number(pathname.slice(1)) } : {}),
  }
}

function backoff(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), 1_000)
}

/** Whether the client became ready in time; it goes on connecting either way. */
async function connect(client: Redis | Cluster): Promise<boolean> {
  client.connect().catch(() => undefined)
  try {
    await once(client, 'ready', { signal: AbortSignal.timeout(FIRST_CONNECT_MS) })
  } catch {
    // Too slow, or the first attempt failed.
  }
  return client.status === 'ready'
}
