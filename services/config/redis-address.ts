/** What REDIS_URL says. With sentinels its host and port are not asked: they come from those. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  readonly isTls: boolean
  /** RESP2 is what every server and every proxy speaks, and nothing here needs more. */
  readonly protocol: 2 | 3
  /** 0: both families. */
  readonly family: 0 | 4 | 6
}

const DEFAULT_PORT = 6379
/** Each parameter with the values it may have. A `db` counts where the path names no database. */
const PARAMETERS: Readonly<Record<string, RegExp>> = { family: /^[046]$/, protocol: /^[23]$/, db: /^\d{1,9}$/ }
const DATABASE = /^\/?(\d{0,9})$/

/**
 * Reads a URL whose scheme and host are in order.
 * @returns what is wrong with it, as the end of a sentence, where it can't be read
 */
export function redisAddress(value: string): RedisAddress | string {
  const { username, password, protocol, hostname, port, pathname, searchParams } = new URL(value)
  const [user, secret] = [decoded(username), decoded(password)]
  if (user === undefined || secret === undefined) {
    return 'has a % in its user or password that begins no code such as %40: write %25 for a percent sign'
  }
  const database = DATABASE.exec(pathname)?.[1]
  if (database === undefined) return 'must end in the number of a database, or in nothing: redis://host:6379/1'
  const isKnown = [...searchParams].every(([name, given]) => PARAMETERS[name]?.test(given))
  if (!isKnown) return 'has a parameter that is not known: family=0, 4 or 6, protocol=2 or 3, and db=<number> are'
  const family = Number(searchParams.get('family') ?? 0)
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORT : Number(port),
    username: user === '' ? undefined : user,
    password: secret === '' ? undefined : secret,
    database: Number(database === '' ? (searchParams.get('db') ?? 0) : database),
    isTls: protocol === 'rediss:',
    protocol: searchParams.get('protocol') === '3' ? 3 : 2,
    family: family === 4 || family === 6 ? family : 0,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
