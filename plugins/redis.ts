import { once } from 'node:events'
import { connect as connectPlain, isIP } from 'node:net'
import { checkServerIdentity, connect as connectTls, type ConnectionOptions } from 'node:tls'
import fastifyRedis from '@fastify/redis'
import fp from 'fastify-plugin'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { SentinelAddress } from '../services/config/checks.js'
import type { Config } from './config.js'

/** How long start-up waits for Redis before the service goes on without it, in ms. */
const FIRST_CONNECT_MS = 1_000
const CONNECT_TIMEOUT_MS = 2_000
/** What a replica says to writes, and to reads while it has no copy. */
const OF_A_REPLICA = /^(READONLY|MASTERDOWN) /
const FIRST_RECONNECT_PAUSE_MS = 1_000
const LONGEST_RECONNECT_PAUSE_MS = 30_000

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
    if (client instanceof Redis) client.on('error', (error: Error) => refuseOtherDatabase(client, error))
    fastify.addHook('onClose', () => client.disconnect())
    const isReady = await connect(client)
    if (isReady && client instanceof Redis) await fastify.register(fastifyRedis, { client, closeClient: false })
    else fastify.decorate<unknown, string>('redis', client)
  },
  { name: 'redis', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

/** A command of this client rejects within its time limit, at once while not connected, and is never sent again. */
export function createClient(
  { address, cluster, sentinels }: NonNullable<Config['redis']>,
  commandTimeout: number,
): Redis | Cluster {
  const { host, port, username, password, database: db, protocol, family } = address
  const tls = address.isTls ? { tls: tlsFor(host) } : {}
  const options = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...tls,
    protocol,
    family,
    commandTimeout,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: 5_000,
    maxRetriesPerRequest: 1,
    // Its INFO falls under the command's time limit, so that a busy machine never gets ready; the cache pings for itself.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Some proxies close the connection at a CLIENT command.
    disableClientInfo: true,
    keepAlive: 10_000,
    lazyConnect: true,
    retryStrategy: backoff,
  } satisfies RedisOptions
  if (cluster) {
    return new Cluster([{ host, port }], {
      redisOptions: options,
      // Names stay names: a certificate is for one, and the system looks all of its addresses up.
      dnsLookup: (name, callback) => callback(null, name),
      enableOfflineQueue: false,
      lazyConnect: true,
      clusterRetryStrategy: backoff,
    })
  }
  const reconnectOnError = otherServerWanted()
  if (sentinels === undefined) return new Redis({ ...options, reconnectOnError, host, port, db })
  const client = new Redis({
    ...options,
    reconnectOnError,
    db,
    sentinels: sentinels.addresses,
    name: sentinels.master,
    ...(sentinels.username !== undefined && { sentinelUsername: sentinels.username }),
    ...(sentinels.password !== undefined && { sentinelPassword: sentinels.password }),
    ...(address.isTls && { enableTLSForSentinelMode: true, sentinelTLS: tlsFor(host) }),
    // One that accepts the connection and says nothing must not keep the next from being asked.
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: backoff,
  })
  sayWhyNoSentinel(client, sentinels.addresses[0], tls.tls)
  return client
}

/** The client does not say why a connection to a sentinel failed; one more of our own does, in time for its next error. */
function sayWhyNoSentinel(
  client: Redis,
  sentinel: SentinelAddress | undefined,
  tls: ConnectionOptions | undefined,
): void {
  if (sentinel === undefined) return
  let reason: string | undefined
  client.on('error', (error: Error) => {
    if (!error.message.endsWith('Last error: Connection is closed.')) return
    if (reason !== undefined) error.message = `no sentinel can be reached: ${reason}`
    const socket = tls === undefined ? connectPlain(sentinel) : connectTls({ ...sentinel, ...tls })
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('connect ETIMEDOUT')))
    socket.once('error', ({ message }) => (reason = message))
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => socket.destroy())
  })
}

/**
 * Clusters and sentinels may name their nodes by addresses, which stand in few certificates. Such a node may show one for `host`
 * instead, the name in REDIS_URL. NODE_EXTRA_CA_CERTS names authorities that the system does not know.
 */
function tlsFor(host: string): ConnectionOptions {
  return {
    checkServerIdentity(name, certificate) {
      const fault = checkServerIdentity(name, certificate)
      const isByAddress = isIP(name) !== 0 && isIP(host) === 0
      return fault !== undefined && isByAddress ? checkServerIdentity(host, certificate) : fault
    },
  }
}

/**
 * After a failover the old connection leads to what is a replica now: a new one is made, by the name or the sentinels. Where the name
 * itself leads to a replica that does not help, and is tried less and less often.
 */
function otherServerWanted(): (error: Error) => boolean {
  let [pauseMs, triedAt] = [FIRST_RECONNECT_PAUSE_MS, Number.NEGATIVE_INFINITY]
  return ({ message }) => {
    if (!OF_A_REPLICA.test(message)) return false
    const sinceMs = performance.now() - triedAt
    if (sinceMs < pauseMs) return false
    pauseMs =
      sinceMs > 2 * LONGEST_RECONNECT_PAUSE_MS
        ? FIRST_RECONNECT_PAUSE_MS
        : Math.min(2 * pauseMs, LONGEST_RECONNECT_PAUSE_MS)
    triedAt = performance.now()
    return true
  }
}

/** Where the server has no database of that number, the client would go on with number 0. It tries anew instead, and says why. */
function refuseOtherDatabase(client: Redis, error: Error): void {
  if (!('command' in error && isSelect(error.command))) return
  client.disconnect(true)
  // It would call itself ready on its way out, and try anew without a pause.
  client.status = 'close'
}

function isSelect(command: unknown): boolean {
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select'
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
