import { isIP } from 'node:net'
import { adminTokenItem } from './admin-tokens.js'
import { databaseUrlFaults } from './database-url.js'
import type { Environment } from './environment.js'
import type { Fault } from './fault.js'
import { redisAddress } from './redis-address.js'

/** A name of the domain name system; its last part is no number, or it would be an address that is none. */
const HOST_NAME = /^(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*(?!\d+$)[a-z0-9_-]{1,63}\.?$/i

/** How the texts of users' tokens begin: what is read in a log or in a list must be one or the other. */
const LIKE_A_USERS_TOKEN = /^rh\d*_/

/** The characters of a bearer token, `b64token` of RFC 6750 section 2.1. */
const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
const SHORTEST_TOKEN = 32

/** What types and ranges can't say: the inside of URLs and tokens, and variables that depend on each other. */
export function crossChecks(environment: Environment): Fault[] {
  return [
    ...hostFaults(environment),
    ...databaseUrlFaults('DATABASE_URL', environment.DATABASE_URL),
    ...databaseUrlFaults('DATABASE_UNPOOLED_URL', environment.DATABASE_UNPOOLED_URL),
    ...redisUrlFaults(environment),
    ...unpooledFaults(environment),
    ...embeddedFaults(environment),
    ...redisFaults(environment),
    ...tokenFaults(environment),
    ...secretFaults(environment),
    ...corsFaults(environment),
  ]
}

/** The items of a comma-separated variable, trimmed, each once. */
export function listOf(value: string | undefined): string[] {
  const items = (value ?? '').split(',').map((item) => item.trim())
  return [...new Set(items.filter((item) => item !== ''))]
}

export interface SentinelAddress {
  readonly host: string
  readonly port: number
}

/** Parses `host:port` or `[ipv6]:port`; `undefined` when it is neither. */
export function sentinelAddress(item: string): SentinelAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(item)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

function urlFaults(variable: keyof Environment, value: string | undefined, protocols: readonly string[]): Fault[] {
  if (value === undefined) return []
  const wanted = protocols.map((protocol) => `${protocol}//`).join(' or ')
  if (!protocols.some((protocol) => value.startsWith(`${protocol}//`))) {
    return [{ variable, message: `must begin with ${wanted}` }]
  }
  const url = parsedUrl(value)
  // A reference that resolved to nothing leaves redis://default:secret@: behind.
  const isWithoutHost = /@:?(?:\/|$)/.test(value) || url?.hostname === ''
  if (isWithoutHost && !url?.searchParams.has('host')) {
    return [{ variable, message: 'has no host: if it is put together from references, one of them did not resolve' }]
  }
  // An unencoded # in a password cuts the URL short, and leaves a wrong host before it.
  if (url === undefined || url.hash !== '') {
    return [{ variable, message: 'is not a valid URL: percent-encode special characters in the user and the password' }]
  }
  return []
}

function parsedUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined
}

function hostFaults({ HOST: host }: Environment): Fault[] {
  if (isIP(host) !== 0 || HOST_NAME.test(host)) return []
  return [
    { variable: 'HOST', message: 'must be an IP address, without port and brackets, or the name of this machine' },
  ]
}

function embeddedFaults({ DATABASE: database, DATABASE_URL: url }: Environment): Fault[] {
  if (database === undefined || url === undefined) return []
  return [{ variable: 'DATABASE', message: 'excludes DATABASE_URL: set one of them' }]
}

function unpooledFaults(environment: Environment): Fault[] {
  if (environment.DATABASE_UNPOOLED_URL === undefined || environment.DATABASE_URL !== undefined) return []
  return [{ variable: 'DATABASE_UNPOOLED_URL', message: 'is of no use without DATABASE_URL: set both, or neither' }]
}

function redisUrlFaults({ REDIS_URL: url, REDIS_CLUSTER: isCluster }: Environment): Fault[] {
  const faults = urlFaults('REDIS_URL', url, ['redis:', 'rediss:'])
  if (url === undefined || faults.length > 0) return faults
  const address = redisAddress(url)
  if (typeof address === 'string') return [{ variable: 'REDIS_URL', message: address }]
  if (!isCluster || address.database === 0) return []
  return [{ variable: 'REDIS_URL', message: 'names a database, and a cluster has number 0 alone: take the number out' }]
}

function redisFaults(environment: Environment): Fault[] {
  const faults: Fault[] = []
  if (environment.REDIS_SENTINELS === undefined) {
    for (const variable of ['REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'] as const) {
      if (environment[variable] === undefined) continue
      faults.push({ variable, message: 'is of no use without REDIS_SENTINELS: set both, or neither' })
    }
  }
  if (environment.REDIS_SENTINEL_USERNAME !== undefined && environment.REDIS_SENTINEL_PASSWORD === undefined) {
    faults.push({ variable: 'REDIS_SENTINEL_USERNAME', message: 'needs REDIS_SENTINEL_PASSWORD: set both, or neither' })
  }
  if (environment.REDIS_SENTINELS !== undefined) {
    const items = listOf(environment.REDIS_SENTINELS)
    if (items.length === 0 || items.some((item) => sentinelAddress(item) === undefined)) {
      faults.push({ variable: 'REDIS_SENTINELS', message: 'must be host:port,host:port with ports from 1 to 65535' })
    }
    if (environment.REDIS_CLUSTER) {
      faults.push({ variable: 'REDIS_CLUSTER', message: 'excludes REDIS_SENTINELS: set one of them' })
    }
  }
  if (environment.REDIS_CLUSTER && environment.REDIS_URL === undefined) {
    faults.push({ variable: 'REDIS_CLUSTER', message: 'needs REDIS_URL to name one node of the cluster' })
  }
  return faults
}

function secretFaults({ TOKEN_SECRET: secret }: Environment): Fault[] {
  if (secret === undefined || secret.length >= SHORTEST_TOKEN) return []
  return [{ variable: 'TOKEN_SECRET', message: `is shorter than ${SHORTEST_TOKEN} characters: openssl rand -hex 32` }]
}

/** An origin as browsers send it: they compare it letter by letter. Apps have schemes of their own, such as `capacitor:`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\*]+$/

function corsFaults({ CORS_ORIGINS: origins }: Environment): Fault[] {
  if (origins === undefined) return []
  const items = listOf(origins)
  const fault = (message: string): Fault[] => [{ variable: 'CORS_ORIGINS', message }]
  if (items.length === 0) return fault('names no origin: set https://shop.example, or remove it')
  if (items.includes('*')) return items.length === 1 ? [] : fault('names * and others: * alone stands for every origin')
  const index = items.findIndex((item) => !isOrigin(item))
  if (index < 0) return []
  return fault(
    `origin ${index + 1} is none: write it as the browser does, https://shop.example, in lower case, with the port if it is not the usual one, without a path or a slash at the end`,
  )
}

function isOrigin(item: string): boolean {
  const url = ORIGIN.test(item) ? parsedUrl(item) : undefined
  return url !== undefined && (['http:', 'https:'].includes(url.protocol) ? url.origin === item : true)
}

function tokenFaults(environment: Environment): Fault[] {
  const tokens = listOf(environment.ADMIN_TOKENS)
  if (tokens.length === 0 && environment.NODE_ENV === 'production') {
    const message = 'is required in production: set at least one token, for example from: openssl rand -hex 32'
    return [{ variable: 'ADMIN_TOKENS', message }]
  }
  const items = tokens.map(adminTokenItem)
  return items.flatMap((item, index): Fault[] => {
    const which = `token ${index + 1}`
    if (item === undefined) {
      const message = `${which} is neither token, nor name:token, nor name:read:token, nor name:metrics:token, with letters, digits and - . _ in the name`
      return [{ variable: 'ADMIN_TOKENS', message }]
    }
    const { token } = item
    if (items.findIndex((other) => other?.token === token) < index) {
      return [
        { variable: 'ADMIN_TOKENS', message: `${which} is the same as one before it: give each administrator another` },
      ]
    }
    if (!BEARER_TOKEN.test(token)) {
      const message = `${which} holds characters that a bearer token may not have: use letters, digits and - . _ ~ + /`
      return [{ variable: 'ADMIN_TOKENS', message }]
    }
    if (LIKE_A_USERS_TOKEN.test(token)) {
      const message = `${which} begins like a user's token: make one of its own, from: openssl rand -hex 32`
      return [{ variable: 'ADMIN_TOKENS', message }]
    }
    if (token.length >= SHORTEST_TOKEN) return []
    return [{ variable: 'ADMIN_TOKENS', message: `${which} is shorter than ${SHORTEST_TOKEN} characters` }]
  })
}
