/** Items of the memory tier while replaying. */
export const MEMORY_ITEMS = 1_000

export type Setting = 'no cache' | 'memory' | 'memory and Redis'
export const settings: readonly Setting[] = ['no cache', 'memory', 'memory and Redis']

export interface Servers {
  /** `undefined`: PGlite in `dataDir`. */
  readonly databaseUrl: string | undefined
  readonly dataDir: string
  readonly redisUrl: string
}

/**
 * The replay counts loads. When other processes hold up this one, or Redis, for longer than the default of 100 ms, that
 * counts as a failure of Redis, and what could not be filled is loaded again.
 */
const REDIS_COMMAND_TIMEOUT_MS = 2_000

const CACHES: Record<Setting, (servers: Servers) => Record<string, string>> = {
  'no cache': () => ({ ENABLE_CACHING: 'false' }),
  memory: () => ({ CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS) }),
  'memory and Redis': ({ redisUrl }) => ({ CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS), REDIS_URL: redisUrl }),
}

/** The environment of the service under one setting. Whatever else the caller's holds does not count. */
export function environmentOf(setting: Setting, servers: Servers): Record<string, string | undefined> {
  return {
    ADMIN_TOKENS: 'replay'.padEnd(32, '-replay'),
    DATA_DIR: servers.dataDir,
    DATABASE_URL: servers.databaseUrl,
    REDIS_COMMAND_TIMEOUT_MS: String(REDIS_COMMAND_TIMEOUT_MS),
    // Its loads are nobody's requests.
    CACHE_VERIFY_SHARE: '0',
    ...CACHES[setting](servers),
  }
}
