import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { envSchema } from 'env-schema'
import fp from 'fastify-plugin'
import { crossChecks, listOf, sentinelAddress, type Fault } from '../services/config/checks.js'
import { redisAddress } from '../services/config/redis-address.js'
import { environmentSchema, expectation, variables, type Environment } from '../services/config/environment.js'

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
  }
}

/** The checked settings of this process. */
export type Config = Readonly<ReturnType<typeof configFrom>>

/** Sentinels may do without REDIS_URL: without user, password, TLS or a database number then. */
const NO_REDIS_URL = 'redis://localhost'

type Variables = Readonly<Record<string, string | undefined>>

/** Lists every fault of the environment; names variables, never their values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly faults: readonly Fault[]) {
    const lines = faults.map(({ variable, message }) => `  ${variable} ${message}`)
    super(`The environment has ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:\n${lines.join('\n')}`)
  }
}

/**
 * Reads and checks the settings. Empty variables count as unset, but an empty DATABASE_URL or REDIS_URL in production
 * is a fault: there it is a reference that did not resolve, and to start without it would lose data unseen.
 * @throws ConfigError with every fault at once
 */
export function loadConfig(env: Variables): Config {
  const present = presentIn(env)
  const faults = [...referenceFaults(present), ...emptyFaults(env)]
  const faulty = new Set(faults.map(({ variable }) => variable))

  const typeFaults = faultsOfTypes(without(present, faulty))
  for (const { variable } of typeFaults) faulty.add(variable)

  const environment = parse(without(present, faulty))
  faults.push(...typeFaults, ...crossChecks(environment).filter(({ variable }) => !faulty.has(variable)))
  if (faults.length > 0) throw new ConfigError(faults)
  return configFrom(environment)
}

/** {@link loadConfig} on the environment of this process, and on `.env` of the working directory for what is not set there. */
export function loadProcessConfig(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const config = loadConfig(process.env)
  return config.isAdminTokenMade ? { ...config, adminTokens: [keptAdminToken(config)] } : config
}

/** Does a script of npm run this process? Then a shell is between the two. */
export function isRunByNpm(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined
}

/** The admin token made by an earlier run, or the one just made, kept in `DATA_DIR/admin-token` for its owner alone. */
function keptAdminToken({ dataDir, adminTokens }: Config): string {
  const path = join(dataDir, 'admin-token')
  if (existsSync(path)) {
    const kept = readFileSync(path, 'utf8').trim()
    if (kept.length >= 32) return kept
  }
  const made = adminTokens.join()
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(path, `${made}\n`, { mode: 0o600 })
  return made
}

function configFrom(environment: Environment) {
  const adminTokens = listOf(environment.ADMIN_TOKENS)
  const isAdminTokenMade = adminTokens.length === 0
  return {
    port: environment.PORT,
    host: environment.HOST,
    /** Without it the database is PGlite in `dataDir`. */
    databaseUrl: environment.DATABASE_URL,
    databaseUnpooledUrl: environment.DATABASE_UNPOOLED_URL,
    databasePoolSize: environment.DATABASE_POOL_SIZE,
    dataDir: environment.DATA_DIR,
    /** `undefined`: there is no Redis tier. */
    redis: redisFrom(environment),
    redisCommandTimeoutMs: environment.REDIS_COMMAND_TIMEOUT_MS,
    isCachingEnabled: environment.ENABLE_CACHING,
    cacheTtlSeconds: environment.CACHE_TTL_SECONDS,
    cacheMaxMemoryItems: environment.CACHE_MAX_MEMORY_ITEMS,
    cacheMaxMemoryBytes: environment.CACHE_MAX_MEMORY_BYTES,
    stalenessBoundMs: environment.CACHE_STALENESS_BOUND_MS,
    staleIfErrorSeconds: environment.CACHE_STALE_IF_ERROR_SECONDS,
    /** Keys what the service seals; without it a row of the database does. */
    tokenSecret: environment.TOKEN_SECRET,
    /** At least one; made for this run when none was set outside production. */
    adminTokens: isAdminTokenMade ? [randomBytes(32).toString('hex')] : adminTokens,
    isAdminTokenMade,
    /** Of pages that may call the API; `*` alone stands for all. Empty: none may. */
    corsOrigins: listOf(environment.CORS_ORIGINS),
    isDebugLogging: environment.DEBUG_LOGGING,
    isPerformanceMonitoring: environment.PERFORMANCE_MONITORING,
    isProduction: environment.NODE_ENV === 'production',
    replicaId: environment.RAILWAY_REPLICA_ID,
    replicaRegion: environment.RAILWAY_REPLICA_REGION,
    deploymentId: environment.RAILWAY_DEPLOYMENT_ID,
    /** Seconds between SIGTERM and SIGKILL; `undefined` when the platform does not say. */
    drainingSeconds: environment.RAILWAY_DEPLOYMENT_DRAINING_SECONDS,
  }
}

/** With sentinels, the address gives user, password, database number and TLS only; host and port come from the sentinels. */
function redisFrom(environment: Environment) {
  if (environment.REDIS_URL === undefined && environment.REDIS_SENTINELS === undefined) return undefined
  const address = redisAddress(environment.REDIS_URL ?? NO_REDIS_URL)
  if (typeof address === 'string') throw new ConfigError([{ variable: 'REDIS_URL', message: address }])
  const addresses = listOf(environment.REDIS_SENTINELS).flatMap((item) => sentinelAddress(item) ?? [])
  const { REDIS_SENTINEL_MASTER: master, REDIS_SENTINEL_USERNAME: username } = environment
  const sentinels = { addresses, master, username, password: environment.REDIS_SENTINEL_PASSWORD }
  return { address, cluster: environment.REDIS_CLUSTER, sentinels: addresses.length > 0 ? sentinels : undefined }
}

function presentIn(env: Variables): Record<string, string> {
  const values = variables.map((name) => [name, env[name]?.trim() ?? ''] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== ''))
}

function without(env: Record<string, string>, faulty: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !faulty.has(name)))
}

function referenceFaults(env: Record<string, string>): Fault[] {
  const unresolved = Object.keys(env).filter((name) => env[name]?.includes('${{'))
  const message = 'holds a ${{…}} reference that did not resolve: check the spelling of the service and the variable'
  return unresolved.map((variable) => ({ variable, message }))
}

function emptyFaults(env: Variables): Fault[] {
  if (env.NODE_ENV?.trim() !== 'production') return []
  const empty = ['DATABASE_URL', 'DATABASE_UNPOOLED_URL', 'REDIS_URL'].filter((name) => env[name]?.trim() === '')
  const message = 'is empty: set it, or remove the variable; an empty value is often a reference that did not resolve'
  return empty.map((variable) => ({ variable, message }))
}

/** `env: false` keeps env-schema from reading the process's environment beside what it is given. */
function parse(env: Record<string, string>): Environment {
  return envSchema<Environment>({ schema: environmentSchema, data: env, env: false })
}

function faultsOfTypes(env: Record<string, string>): Fault[] {
  try {
    parse(env)
    return []
  } catch (error) {
    if (!(error instanceof Error && 'errors' in error && Array.isArray(error.errors))) throw error
    const names = error.errors.map(({ instancePath }: { instancePath: string }) => instancePath.slice(1))
    return [...new Set(names)].map((variable) => ({ variable, message: expectation(variable) }))
  }
}

/** Decorates the instance with `config`, and says what an operator must know about it. */
export default fp<{ config: Config }>(
  async (fastify, { config }) => {
    fastify.decorate('config', config)
    if (config.isAdminTokenMade) {
      fastify.log.warn(`ADMIN_TOKENS is not set. Admin token made for this machine: ${config.adminTokens.join()}`)
    }
    if (config.deploymentId !== undefined && config.databaseUrl === undefined) {
      fastify.log.warn('⚠️ DATABASE_URL is not set: data is kept in this container and lost with the next deployment')
    }
  },
  { name: 'config', fastify: '5.x' },
)
