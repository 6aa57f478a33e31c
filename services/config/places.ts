import type { RedisAddress } from './redis-address.js'
import type { SentinelAddress } from './checks.js'

const POSTGRES_PORT = '5432'

/** Where the data is: host, port and database of a checked URL, never user, password or parameters. */
export function databasePlace({
  databaseUrl,
  dataDir,
}: {
  readonly databaseUrl: string | undefined
  readonly dataDir: string
}): string {
  if (databaseUrl === undefined) return `embedded (PGlite) in ${dataDir}`
  // No host after user and password is right where the query names a socket.
  const { hostname, port, pathname, username, searchParams } = new URL(databaseUrl.replace(/@(?=[/?]|$)/, '@localhost'))
  const host = searchParams.get('host') || hostname
  return `PostgreSQL at ${host}:${searchParams.get('port') || port || POSTGRES_PORT}/${pathname.slice(1) || username}`
}

/** Where the Redis tier is. */
export function redisPlace(
  redis:
    | {
        readonly address: RedisAddress
        readonly cluster: boolean
        readonly sentinels: { readonly addresses: readonly SentinelAddress[]; readonly master: string } | undefined
      }
    | undefined,
): string {
  if (redis === undefined) return 'none, memory alone'
  const { address, cluster, sentinels } = redis
  const tls = address.isTls ? ', TLS' : ''
  if (sentinels !== undefined) {
    const known = sentinels.addresses.map(({ host, port }) => `${host}:${port}`).join(', ')
    return `${sentinels.master} of the sentinels ${known}${tls}`
  }
  return `${cluster ? 'the cluster of ' : ''}${address.host}:${address.port}${cluster ? '' : `/${address.database}`}${tls}`
}
