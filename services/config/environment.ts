import { Type, type Static, type TSchema } from '@sinclair/typebox'

/**
 * Every variable the service reads, its type, range and default: the one truth. `description` ends the message of a fault,
 * so it says what to set. What involves two variables, or the inside of a URL or token, is in checks.ts.
 */
export const environmentSchema = Type.Object(
  {
    NODE_ENV: Type.Union([Type.Literal('production'), Type.Literal('development'), Type.Literal('test')], {
      default: 'development',
      description: 'production turns JSON logs on and demands ADMIN_TOKENS and a database',
    }),
    PORT: whole(0, 65_535, 3000, 'the port to listen on'),
    HOST: Type.String({ default: '::', description: 'the address to listen on; :: is every IPv6 and IPv4 address' }),
    DATABASE_URL: text('postgresql://user:password@host:5432/database; without it PGlite keeps the data in DATA_DIR'),
    DATABASE_UNPOOLED_URL: text('the same database past its connection pooler, for LISTEN and migrations'),
    DATABASE: Type.Optional(
      Type.Literal('embedded', { description: 'the data is meant to be in DATA_DIR, also in production' }),
    ),
    DATABASE_POOL_SIZE: whole(1, 1000, 10, 'the most connections that one replica opens for queries'),
    DATABASE_QUEUE_LENGTH: whole(
      1,
      100_000,
      2000,
      'how many statements may wait for a connection; further ones are 503',
    ),
    DATABASE_QUEUE_MS: whole(10, 60_000, 700, 'how long a load may wait for a connection; then it is 503'),
    DATABASE_WRITE_QUEUE_MS: whole(10, 60_000, 10_000, 'how long a write may wait for a connection; then it is 503'),
    DATABASE_SILENCE_MS: whole(
      100,
      10_000,
      700,
      'how long nothing may come from the server before it is taken for hanging',
    ),
    DATA_DIR: Type.String({ default: './.data', description: 'the folder of the embedded database' }),
    REDIS_URL: text('redis://default:password@host:6379, or rediss:// for TLS; without it there is no Redis tier'),
    REDIS_CLUSTER: flag(false, 'true when REDIS_URL names a node of a Redis Cluster'),
    REDIS_SENTINELS: text('the sentinels as host:port,host:port; user, password and TLS come from REDIS_URL'),
    REDIS_SENTINEL_MASTER: Type.String({
      default: 'mymaster',
      description: 'the name the sentinels know the master by',
    }),
    REDIS_SENTINEL_USERNAME: text('the user of the sentinels themselves, where they ask for one'),
    REDIS_SENTINEL_PASSWORD: text('the password of the sentinels themselves, where they ask for one'),
    REDIS_COMMAND_TIMEOUT_MS: whole(1, 10_000, 100, 'the longest a request waits for a Redis command'),
    ENABLE_CACHING: flag(true, 'false answers every read from the database'),
    CACHE_TTL_SECONDS: whole(1, 2_592_000, 300, 'the fresh time of entries without a lifetime of their own'),
    CACHE_MAX_MEMORY_ITEMS: whole(1, 10_000_000, 1000, 'the most entries in the memory tier; 50000 suits most'),
    CACHE_MAX_MEMORY_BYTES: whole(1024, 1_099_511_627_776, 67_108_864, 'the most bytes (not MiB) in the memory tier'),
    CACHE_STALENESS_BOUND_MS: whole(100, 60_000, 1000, 'how long after a write an older value may still be served'),
    CACHE_STALE_IF_ERROR_SECONDS: whole(0, 86_400, 60, 'how long memory answers, marked stale, when all else is down'),
    CACHE_VERIFY_SHARE: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.001,
      description: 'the share of hits that are compared with the database a moment later',
    }),
    CHANGES: Type.Union([Type.Literal('on'), Type.Literal('off')], {
      default: 'on',
      description:
        'off: what changes is not written down, and /api/changes answers 404; on again, it begins at that moment',
    }),
    CHANGES_KEEP_DAYS: whole(1, 365, 7, 'how long /api/changes can be asked for what changed since'),
    ADMIN_TOKENS: text(
      'comma-separated name:token, name:read:token for dashboards, or name:metrics:token for /metrics; 32 characters at least: openssl rand -hex 32',
    ),
    TOKEN_SECRET: text('32 characters at least, the same on every replica; without it one is kept in the database'),
    MAX_LOOP_DELAY_MS: whole(10, 60_000, 250, 'how late the event loop may be before loads and writes are refused'),
    RATE_LIMIT_PER_MINUTE: whole(0, 10_000_000, 0, 'how many requests a token may make in a minute; 0 is no limit'),
    RATE_LIMIT_REFUSED_TOKENS: whole(
      0,
      1_000_000,
      0,
      'how many refused tokens an address may send in a minute; 0 is no limit',
    ),
    CORS_ORIGINS: text('the origins whose pages may call the API, as https://shop.example,https://admin.example; or *'),
    DEBUG_LOGGING: flag(false, 'true logs every request and the steps of the cache'),
    TRACING: flag(false, 'true makes OpenTelemetry spans, for an SDK that --import has loaded'),
    PERFORMANCE_MONITORING: flag(true, 'false turns Server-Timing and latency histograms off'),
    RAILWAY_REPLICA_ID: text('set by Railway; in every log line'),
    RAILWAY_REPLICA_REGION: text('set by Railway; in every log line'),
    RAILWAY_DEPLOYMENT_ID: text('set by Railway; in every log line'),
    RAILWAY_DEPLOYMENT_DRAINING_SECONDS: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 3600, description: 'the seconds between SIGTERM and SIGKILL' }),
    ),
  },
  { additionalProperties: false },
)

/** The variables with their types, defaults filled in. */
export type Environment = Static<typeof environmentSchema>

const entries: ReadonlyArray<readonly [string, TSchema]> = Object.entries(environmentSchema.properties)

/** Names of all variables the service reads. */
export const variables: readonly string[] = entries.map(([name]) => name)

/** `NAME=value` of each variable that has a default and is set to something else. What has none may be a secret, and is not told. */
export function changedFrom(environment: Environment): string[] {
  return entries.flatMap(([name, { default: usual }]) => {
    const value: unknown = Reflect.get(environment, name)
    return usual === undefined || value === usual ? [] : [`${name}=${String(value)}`]
  })
}

/** Is it a number by the rules of JavaScript (`0x10`, `1e3`) that a person did not mean as one, or might misread? */
export function isMiswrittenNumber(variable: string, value: string): boolean {
  const isWhole = entries.some(([name, schema]) => name === variable && schema.type === 'integer')
  return isWhole && !/^-?\d+$/.test(value)
}

/** What a variable must hold, for the message of a fault: never its value, which may be a secret. */
export function expectation(variable: string): string {
  const schema = entries.find(([name]) => name === variable)?.[1]
  if (schema === undefined) return 'is not known'
  return `must be ${kindOf(schema)}: ${String(schema.description)}`
}

function kindOf(schema: TSchema): string {
  if (schema.type === 'integer') return `a whole number from ${String(schema.minimum)} to ${String(schema.maximum)}`
  if (schema.type === 'number') return `a number from ${String(schema.minimum)} to ${String(schema.maximum)}`
  if (schema.type === 'boolean') return 'true or false'
  if (schema.const !== undefined) return String(schema.const)
  if (schema.anyOf === undefined) return 'text'
  return schema.anyOf.map((option: TSchema) => String(option.const)).join(', ')
}

function whole(minimum: number, maximum: number, defaultValue: number, description: string) {
  return Type.Integer({ minimum, maximum, default: defaultValue, description })
}

function flag(defaultValue: boolean, description: string) {
  return Type.Boolean({ default: defaultValue, description })
}

function text(description: string) {
  return Type.Optional(Type.String({ description }))
}
