import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { envSchema } from 'env-schema'
import fp from 'fastify-plugin'
import { crossChecks, listOf, sentinelAddress } from '../services/config/checks.js'
import { unreadDatabaseVariables } from '../services/config/database-url.js'
import { containerSign, platformSign } from '../services/config/deployment.js'
import { readEnvFile } from '../services/config/env-file.js'
import {
  changedFrom,
  environmentSchema,
  expectation,
  isMiswrittenNumber,
  variables,
  type Environment,
} from '../services/config/environment.js'
import type { Fault } from '../services/config/fault.js'
import { listeningFaults } from '../services/config/listening.js'
import { databasePlace, redisPlace } from '../services/config/places.js'
import { redisAddress } from '../services/config/redis-address.js'
import { emptyFaults, isBlank, referenceFaults } from '../services/config/references.js'
import { dataDirFault, folderFault } from '../services/database/pglite/data-dir.js'

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

/** Lists every fault of the environment and of the place; names variables, never their values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  /** @param note ends the message: what the faults are judged by */
  constructor(
    readonly faults: readonly Fault[],
    note?: string,
  ) {
    const lines = faults.map(({ variable, message }) => `\n  ${variable} ${message}`)
    const count = `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`
    super(`The environment has ${count}:${lines.join('')}${note === undefined ? '' : `\n${note}`}`)
  }
}

/**
 * Reads and checks the settings. Empty variables count as unset, but an empty DATABASE_URL or REDIS_URL in production
 * is a fault: there it is a reference that did not resolve, and to start without it would lose data unseen.
 * @throws ConfigError with every fault at once
 */
export function loadConfig(env: Variables): Config {
  const { environment, faults, note } = examine(env)
  if (faults.length > 0) throw new ConfigError(faults, note)
  return configFrom(environment)
}

/**
 * {@link loadConfig} on the environment of this process, and on `.env` of the working directory for what is not set there; and can
 * the service be in this place?
 * @param listens is it going to listen, at HOST and PORT?
 * @throws ConfigError with every fault at once
 */
export async function loadProcessConfig({ listens }: { readonly listens: boolean }): Promise<Config> {
  const examined = examineProcessConfig()
  const { config, note } = examined
  const faults = [...examined.faults, ...(await placeFaults(examined, { listens }))]
  if (faults.length > 0) throw new ConfigError(faults, note)
  return config.isAdminTokenMade ? { ...config, adminTokens: [keptAdminToken(config)] } : config
}

/** The settings as far as they are right, with the faults of the rest. */
export interface ExaminedConfig {
  readonly config: Config
  readonly faults: readonly Fault[]
  readonly note?: string
  /** `NAME=value` of what is not the default; never a secret. */
  readonly changed: readonly string[]
}

/** Those of this process; looks at no place, and makes no token to keep. */
export function examineProcessConfig(): ExaminedConfig {
  const file = readEnvFile('.env')
  for (const [name, value] of Object.entries(file.values)) process.env[name] ??= value
  const { faults, ...examined } = examineConfig(process.env, containerSign)
  return { ...examined, faults: [...file.faults, ...faults] }
}

/** @param otherSign says why this is a deployment, where the variables do not */
export function examineConfig(env: Variables, otherSign?: () => string | undefined): ExaminedConfig {
  const { environment, ...examined } = examine(env, otherSign)
  return { ...examined, config: configFrom(environment), changed: changedFrom(environment) }
}

/** What the command line takes from the environment, and from `.env` of the working directory: where the service is, and who asks. */
export function clientEnvironment(): { readonly url: string | undefined; readonly token: string | undefined } {
  const { values } = readEnvFile('.env')
  const read = (name: string): string | undefined => (process.env[name] ?? values[name])?.trim() || undefined
  return { url: read('ROUNDHOUSE_URL'), token: read('ROUNDHOUSE_TOKEN') }
}

/** Does a script of npm run this process? Then a shell is between the two. */
export function isRunByNpm(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined
}

interface Examined {
  /** What is right, and the defaults. */
  readonly environment: Environment
  readonly faults: readonly Fault[]
  readonly note?: string
}

/** @param otherSign says why this is a deployment, where the variables do not */
function examine(given: Variables, otherSign: () => string | undefined = () => undefined): Examined {
  const sign = isBlank(given.NODE_ENV) ? (platformSign(given) ?? otherSign()) : undefined
  const env = sign === undefined ? given : { ...given, NODE_ENV: 'production' }
  const present = presentIn(env)
  const faults = [...referenceFaults(present), ...emptyFaults(env)]
  const faulty = new Set(faults.map(({ variable }) => variable))

  const typeFaults = faultsOfTypes(without(present, faulty))
  for (const { variable } of typeFaults) faulty.add(variable)

  const typed = parse(without(present, faulty))
  const otherFaults = [...crossChecks(typed), ...databaseFaults(typed, env)]
  faults.push(...typeFaults, ...otherFaults.filter(({ variable }) => !faulty.has(variable)))
  for (const { variable } of otherFaults) faulty.add(variable)
  const environment = parse(without(present, faulty))
  if (sign === undefined) return { environment, faults }
  const note = `NODE_ENV is not set and counts as production, because ${sign}. If this is none, set NODE_ENV=development.`
  return { environment, faults, note }
}

/** Data that goes to an embedded database because DATABASE_URL is misspelt is lost with the container. */
function databaseFaults({ NODE_ENV, DATABASE_URL }: Environment, env: Variables): Fault[] {
  if (NODE_ENV !== 'production' || !isBlank(env.DATABASE) || DATABASE_URL !== undefined) return []
  const unread = unreadDatabaseVariables(env)
  const hint = unread.length === 0 ? '' : ` (${unread.join(', ')} is not read)`
  const message = `is required in production: set it${hint}, or DATABASE=embedded if the data is meant to be in DATA_DIR`
  return [{ variable: 'DATABASE_URL', message }]
}

/** Why the service can't be in this place, as far as the settings about it are right. Makes DATA_DIR if need be. */
export async function placeFaults(
  { config, faults }: ExaminedConfig,
  { listens }: { readonly listens: boolean },
): Promise<readonly Fault[]> {
  const faulty = new Set(faults.map(({ variable }) => variable))
  const ofData = dataDirFaults(config, faulty)
  if (!listens || faulty.has('HOST') || faulty.has('PORT')) return ofData
  return [...ofData, ...(await listeningFaults(config))]
}

/** Where the embedded database is meant to be, it must be able to; the admin token that is made wants a place too. */
function dataDirFaults({ databaseUrl, dataDir, isAdminTokenMade }: Config, faulty: ReadonlySet<string>): Fault[] {
  if (faulty.has('DATA_DIR') || faulty.has('DATABASE_URL')) return []
  const isTokenKept = isAdminTokenMade && !faulty.has('ADMIN_TOKENS')
  const message = databaseUrl === undefined ? dataDirFault(dataDir) : isTokenKept ? folderFault(dataDir) : undefined
  return message === undefined ? [] : [{ variable: 'DATA_DIR', message }]
}

/** The admin token made by an earlier run, or the one just made, kept in `DATA_DIR/admin-token` for its owner alone. */
function keptAdminToken({ dataDir, adminTokens }: Config): string {
  const path = join(dataDir, 'admin-token')
  try {
    if (existsSync(path)) {
      const kept = readFileSync(path, 'utf8').trim()
      if (kept.length >= 32) return kept
    }
    const made = adminTokens.join()
    writeFileSync(path, `${made}\n`, { mode: 0o600 })
    return made
  } catch {
    const message =
      'holds an admin-token that is not readable and writable for the user of this process: delete that file'
    throw new ConfigError([{ variable: 'DATA_DIR', message }])
  }
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
    databaseQueueLength: environment.DATABASE_QUEUE_LENGTH,
    databaseQueueMs: environment.DATABASE_QUEUE_MS,
    databaseWriteQueueMs: environment.DATABASE_WRITE_QUEUE_MS,
    databaseSilenceMs: environment.DATABASE_SILENCE_MS,
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
    verifyShare: environment.CACHE_VERIFY_SHARE,
    /** Is what changes written down, for /api/changes? */
    isChangesOn: environment.CHANGES === 'on',
    changesKeepDays: environment.CHANGES_KEEP_DAYS,
    /** Keys what the service seals; without it a row of the database does. */
    tokenSecret: environment.TOKEN_SECRET,
    /** At least one; made for this run when none was set outside production. */
    adminTokens: isAdminTokenMade ? [randomBytes(32).toString('hex')] : adminTokens,
    isAdminTokenMade,
    /** Of the event loop: beyond it loads and writes are refused. */
    maxLoopDelayMs: environment.MAX_LOOP_DELAY_MS,
    /** 0 is no limit. */
    rateLimits: {
      requestsPerMinute: environment.RATE_LIMIT_PER_MINUTE,
      refusedTokensPerMinute: environment.RATE_LIMIT_REFUSED_TOKENS,
    },
    /** Of pages that may call the API; `*` alone stands for all. Empty: none may. */
    corsOrigins: listOf(environment.CORS_ORIGINS),
    isDebugLogging: environment.DEBUG_LOGGING,
    isTracing: environment.TRACING,
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

/** `env: false` keeps env-schema from reading the process's environment beside what it is given. */
function parse(env: Record<string, string>): Environment {
  return envSchema<Environment>({ schema: environmentSchema, data: env, env: false })
}

function faultsOfTypes(env: Record<string, string>): Fault[] {
  const miswritten = Object.keys(env).filter((name) => isMiswrittenNumber(name, env[name] ?? ''))
  const names = new Set([...miswritten, ...namesOfWrongType(env)])
  return [...names].map((variable) => ({ variable, message: expectation(variable) }))
}

function namesOfWrongType(env: Record<string, string>): string[] {
  try {
    parse(env)
    return []
  } catch (error) {
    if (!(error instanceof Error && 'errors' in error && Array.isArray(error.errors))) throw error
    return error.errors.map(({ instancePath }: { instancePath: string }) => instancePath.slice(1))
  }
}

/** Decorates the instance with `config`, and says what an operator must know about it. */
export default fp<{ config: Config }>(
  async (fastify, { config }) => {
    fastify.decorate('config', config)
    fastify.log.info(`Database: ${databasePlace(config)}; Redis: ${redisPlace(config.redis)}`)
    if (config.isAdminTokenMade) {
      fastify.log.warn(`ADMIN_TOKENS is not set. Admin token made for this machine: ${config.adminTokens.join()}`)
    }
    if (config.deploymentId !== undefined && config.databaseUrl === undefined) {
      fastify.log.warn('⚠️ DATABASE_URL is not set: data is kept in this container and lost with the next deployment')
    }
  },
  { name: 'config', fastify: '5.x' },
)
