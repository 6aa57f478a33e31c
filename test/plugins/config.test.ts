import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import Fastify from 'fastify'
import configPlugin, { ConfigError, loadConfig } from '../../plugins/config.js'
import { variables } from '../../services/config/environment.js'

const TOKEN = 'a'.repeat(32)

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ variable }) => variable)
  }
}

t.test('no environment at all gives a working configuration', async (t) => {
  t.match(loadConfig({}), {
    port: 3000,
    host: '::',
    databaseUrl: undefined,
    dataDir: './.data',
    redis: undefined,
    redisCommandTimeoutMs: 100,
    isCachingEnabled: true,
    cacheTtlSeconds: 300,
    cacheMaxMemoryItems: 1000,
    cacheMaxMemoryBytes: 64 * 1024 * 1024,
    stalenessBoundMs: 1000,
    staleIfErrorSeconds: 60,
    isDebugLogging: false,
    isPerformanceMonitoring: true,
    isProduction: false,
  })
})

t.test('an admin token is made outside production, another one each time', async (t) => {
  const [first, second] = [loadConfig({}), loadConfig({ ADMIN_TOKENS: '' })]
  t.equal(first.isAdminTokenMade, true)
  t.match(first.adminTokens, [/^[0-9a-f]{64}$/])
  t.notSame(first.adminTokens, second.adminTokens)
})

t.test('admin tokens are a list, trimmed, each once', async (t) => {
  const config = loadConfig({ ADMIN_TOKENS: ` ${TOKEN}, ${'b'.repeat(40)},${TOKEN},` })
  t.same(config.adminTokens, [TOKEN, 'b'.repeat(40)])
  t.equal(config.isAdminTokenMade, false)
})

t.test('an admin token may have a name, and say that it is for looking only', async (t) => {
  for (const item of [TOKEN, `ops:${TOKEN}`, `Grafana.1-x_y:read:${TOKEN}`]) {
    t.same(faultsOf({ ADMIN_TOKENS: item }), [], item)
  }
  for (const item of [
    `:${TOKEN}`,
    `ops::${TOKEN}`,
    `ops:write:${TOKEN}`,
    `ops:read:${TOKEN}:x`,
    `an ops:${TOKEN}`,
    `${'n'.repeat(65)}:${TOKEN}`,
    'ops:short',
    'ops:read:',
    `ops:${TOKEN},${TOKEN}`,
    `ops:${TOKEN},ops:read:${TOKEN}`,
  ]) {
    t.same(faultsOf({ ADMIN_TOKENS: item }), ['ADMIN_TOKENS'], item)
  }
})

const DATABASE_URL = 'postgresql://h/db'

t.test('production demands admin tokens', async (t) => {
  t.same(faultsOf({ NODE_ENV: 'production', DATABASE_URL }), ['ADMIN_TOKENS'])
  t.same(faultsOf({ NODE_ENV: 'production', DATABASE_URL, ADMIN_TOKENS: ' , ' }), ['ADMIN_TOKENS'])
  t.same(faultsOf({ NODE_ENV: 'production', DATABASE_URL, ADMIN_TOKENS: TOKEN }), [])
})

t.test('production demands a database, or that the embedded one is meant', async (t) => {
  const production = { NODE_ENV: 'production', ADMIN_TOKENS: TOKEN }
  t.same(faultsOf(production), ['DATABASE_URL'])
  t.same(faultsOf({ ...production, DATABASE: 'embedded' }), [])
  t.same(faultsOf({ ...production, DATABASE: 'embedded', DATABASE_URL }), ['DATABASE'], 'one of them')
  t.same(faultsOf({ ...production, DATABASE: 'postgres' }), ['DATABASE'], 'a typing error says nothing')
  t.throws(() => loadConfig({ ...production, DATABSE_URL: DATABASE_URL, PGHOST: 'h', PGPASSWORD: 'hunter2' }), {
    message: /DATABASE_URL is required in production: set it \(DATABSE_URL, PGHOST is not read\), or DATABASE=embedded/,
  })
})

t.test('without NODE_ENV what a platform sets says that this is production', async (t) => {
  for (const name of ['RAILWAY_PROJECT_ID', 'RAILWAY_ENVIRONMENT', 'RAILWAY_REPLICA_ID', 'KUBERNETES_SERVICE_HOST']) {
    t.same(faultsOf({ [name]: 'x', NODE_ENV: ' ' }), ['ADMIN_TOKENS', 'DATABASE_URL'], name)
    t.throws(() => loadConfig({ [name]: 'x' }), { message: new RegExp(`\nNODE_ENV .* because ${name} is set`) })
    t.same(faultsOf({ [name]: 'x', NODE_ENV: 'development' }), [], 'unless it says otherwise')
    t.equal(loadConfig({ [name]: 'x', DATABASE_URL, ADMIN_TOKENS: TOKEN }).isProduction, true)
  }
  for (const name of ['RAILWAY_TOKEN', 'RAILWAY_API_TOKEN', 'RAILWAY_RUN_UID']) {
    t.same(faultsOf({ [name]: 'x' }), [], `${name} is set by people`)
  }
  t.same(faultsOf({ RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '30' }), [])
})

t.test('a number is written in digits', async (t) => {
  for (const port of ['0x10', '1e3', '0b11', '8080.0', '+80', '8 0', '3000,', '٣'])
    t.same(faultsOf({ PORT: port }), ['PORT'], port)
  t.equal(loadConfig({ PORT: ' 08080 ' }).port, 8080)
  t.same(faultsOf({ CACHE_TTL_SECONDS: '1e2', RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '0x1e' }).length, 2)
})

t.test('an address to listen on is an address or a name', async (t) => {
  const wrong = [
    'http://h',
    '127.0.0.1:3000',
    '[::]',
    '256.1.1.1',
    '1.2.3',
    'a b',
    'h/',
    '*',
    'ä',
    `${'a'.repeat(64)}.b`,
  ]
  for (const host of wrong) t.same(faultsOf({ HOST: host }), ['HOST'], host)
  for (const host of ['::', '0.0.0.0', '::1', 'localhost', 'my_host.internal', 'fe80::1%eth0']) {
    t.equal(loadConfig({ HOST: host }).host, host)
  }
})

t.test("an admin's token that begins like a user's is refused", async (t) => {
  const body = 'a'.repeat(60)
  for (const token of [`rh_${body}`, `rh2_${body}`, `ops:rh12_${body}`, `ops:read:rh2_${body}`]) {
    t.same(faultsOf({ ADMIN_TOKENS: `${TOKEN},${token}` }), ['ADMIN_TOKENS'], token)
  }
  t.throws(() => loadConfig({ ADMIN_TOKENS: `${TOKEN},rh2_${body}` }), {
    message: /ADMIN_TOKENS token 2 begins like a user/,
  })
  t.same(faultsOf({ ADMIN_TOKENS: `rhubarb-${body}` }), [])
})

t.test('origins of pages are written as browsers write them', async (t) => {
  t.same(loadConfig({}).corsOrigins, [])
  const origins = 'https://shop.example, http://localhost:5173,capacitor://localhost,http://[::1]:80'
  const good = [
    'https://shop.example',
    'http://localhost:5173',
    'capacitor://localhost',
    '*',
    'https://xn--caf-dma.example',
  ]
  for (const origin of good) t.same(loadConfig({ CORS_ORIGINS: origin }).corsOrigins, [origin])
  for (const bad of [
    'https://shop.example/',
    'https://shop.example/api',
    'https://Shop.example',
    'https://shop.example:443',
    'shop.example',
    'https://*.shop.example',
    'https://user@shop.example',
    'https://café.example',
    'null',
    '*,https://shop.example',
    'https://a.example https://b.example',
    ',',
    origins,
  ]) {
    t.same(faultsOf({ CORS_ORIGINS: bad }), ['CORS_ORIGINS'], bad)
  }
})

t.test('a secret for version tokens has 32 characters at least, and none is needed', async (t) => {
  t.equal(loadConfig({}).tokenSecret, undefined)
  t.equal(loadConfig({ TOKEN_SECRET: ` ${TOKEN} ` }).tokenSecret, TOKEN)
  t.equal(loadConfig({ TOKEN_SECRET: '' }).tokenSecret, undefined, 'empty is unset')
  t.same(faultsOf({ TOKEN_SECRET: 'a'.repeat(31) }), ['TOKEN_SECRET'])
  t.same(faultsOf({ NODE_ENV: 'production', DATABASE_URL, ADMIN_TOKENS: TOKEN }), [], 'nor in production')
  t.throws(() => loadConfig({ TOKEN_SECRET: 'short' }), { message: /TOKEN_SECRET is shorter than 32 characters/ })
})

t.test('every fault is listed in one error, by name, with what to do and without the value', async (t) => {
  const secret = 'hunter2-hunter2'
  const env = {
    PORT: 'http',
    CACHE_TTL_SECONDS: '-1',
    CACHE_STALENESS_BOUND_MS: '99',
    CACHE_VERIFY_SHARE: '2',
    ENABLE_CACHING: 'yes',
    DATABASE_URL: `mysql://root:${secret}@db/x`,
    REDIS_URL: `redis://default:${secret}@:`,
    ADMIN_TOKENS: `${secret},${'x'.repeat(31)}!`,
    RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '1.5',
  }
  const error = t.throws(() => loadConfig(env), ConfigError)
  t.same(new Set(faultsOf(env)), new Set(Object.keys(env)))
  t.notMatch(String(error), secret)
  for (const line of [
    'PORT must be a whole number from 0 to 65535: the port to listen on',
    'CACHE_VERIFY_SHARE must be a number from 0 to 1: the share of hits',
    'ENABLE_CACHING must be true or false',
    'DATABASE_URL must begin with postgresql:// or postgres://',
    'REDIS_URL has no host',
    'ADMIN_TOKENS token 1 is shorter than 32 characters',
    'ADMIN_TOKENS token 2 holds characters that a bearer token may not have',
  ]) {
    t.ok(String(error).includes(line), line)
  }
})

t.test('an unresolved reference is a fault in any variable, listed once', async (t) => {
  for (const variable of variables) {
    t.same(faultsOf({ NODE_ENV: 'development', [variable]: 'x${{Other.NAME}}' }), [variable], variable)
  }
})

t.test('empty variables count as unset, but for the servers in production', async (t) => {
  const empty = Object.fromEntries(variables.map((variable) => [variable, ' ']))
  t.same(faultsOf(empty), [])
  const production = { ...empty, NODE_ENV: 'production', ADMIN_TOKENS: TOKEN }
  t.same(faultsOf(production), ['DATABASE_URL', 'DATABASE_UNPOOLED_URL', 'REDIS_URL'])
})

t.test('broken server URLs are refused', async (t) => {
  const broken = [
    'redis://default:pw@:',
    'redis://default:pw@',
    'redis://',
    'redis://:6379',
    'redis://h:99999',
    'localhost:6379',
  ]
  for (const url of broken) t.same(faultsOf({ REDIS_URL: url }), ['REDIS_URL'], url)
})

t.test('URLs that pg would misread are refused, each with its reason', async (t) => {
  const broken = {
    'must begin with': ['http://h/db', 'mysql://h/db', 'socket:/run/pg?db=x', 'h:5432/db', 'postgresql:h', 'PGHOST=h'],
    'has no host': ['postgresql://', 'postgresql://u:p@:5432/db', 'postgresql://u:p@/db', 'postgresql:///db'],
    'percent-encode': [
      'postgresql://user:p@ss#w@h/db',
      'postgresql://u:a/b@h/db',
      'postgresql://u:a?b@h/db',
      'postgresql://u:%ff@h/db',
    ],
    'several hosts': [
      'postgresql://u:p@h1,h2/db',
      'postgresql://u:p@h1:5432,h2:5433/db',
      'postgresql:///db?host=h1,h2',
    ],
    'a port that is none': [
      ...['70000', '0', '5432x', '-1', '0x10', '99999999999'].map((port) => `postgresql://u:p@h:${port}/db`),
      'postgresql://[::1]:70000/db',
      'postgresql:///db?host=/run/pg&port=70000',
    ],
    '?schema=': ['postgresql://u:p@h/db?schema=public', 'postgresql://u:p@h/db?sslmode=disable&schema=shop'],
    sslmode: ['postgresql://h/db?sslmode=REQUIRE', 'postgresql://h/db?sslmode=', 'postgresql://h/db?sslmode=allow'],
    sslrootcert: ['postgresql://h/db?sslmode=verify-full&sslrootcert=/nowhere/ca.pem'],
  }
  for (const [reason, urls] of Object.entries(broken)) {
    for (const url of urls) {
      for (const variable of ['DATABASE_URL', 'DATABASE_UNPOOLED_URL']) {
        const env = { DATABASE_URL, [variable]: url }
        t.same(faultsOf(env), [variable], url)
        t.throws(() => loadConfig(env), { message: reason }, url)
      }
    }
  }
})

t.test('server URLs in use are accepted', async (t) => {
  const urls = [
    'redis://h',
    'rediss://default:p%40w@redis.railway.internal:6379/2',
    'redis://[::1]:6379',
    'redis://:pw@h:1',
  ]
  for (const url of urls) t.same(faultsOf({ REDIS_URL: url }), [], url)
  for (const url of [
    'postgres://h/db',
    'postgresql://u:p@h:5432/db?sslmode=no-verify',
    'postgresql:///db?host=/run/pg',
    'postgresql://user:p%23w@/db?host=/cloudsql/project:region:instance',
    'postgresql://user@%2Frun%2Fpg:5433/db',
    'postgresql://u:p@[::1]:5432/db',
    'postgresql://u:50%off@h/db',
    'postgresql://u:p@h/db?sslmode=require&channel_binding=require',
  ]) {
    t.equal(loadConfig({ DATABASE_URL: url }).databaseUrl, url)
  }
})

t.test('REDIS_URL is read whole: user, password, TLS, database, and two parameters', async (t) => {
  const addressOf = (url: string) => loadConfig({ REDIS_URL: url }).redis?.address
  t.same(addressOf('rediss://default:p%40%25w@[::1]:6380/2?family=6&protocol=3'), {
    host: '::1',
    port: 6380,
    username: 'default',
    password: 'p@%w',
    database: 2,
    isTls: true,
    protocol: 3,
    family: 6,
  })
  t.same(addressOf('redis://h'), {
    host: 'h',
    port: 6379,
    username: undefined,
    password: undefined,
    database: 0,
    isTls: false,
    protocol: 2,
    family: 0,
  })
  t.match(addressOf('redis://h/?db=3'), { database: 3 })
})

t.test('what REDIS_URL can not mean is one clear line, and never another database', async (t) => {
  const messageOf = (url: string, env: Record<string, string> = {}): string => {
    try {
      loadConfig({ REDIS_URL: url, ...env })
      return ''
    } catch (error) {
      return error instanceof ConfigError ? error.message : `not a ConfigError: ${String(error)}`
    }
  }
  for (const url of ['redis://:50%off@h', 'redis://%zz:x@h', 'redis://:%@h', 'redis://:%ff@h']) {
    t.match(messageOf(url), /^The environment has 1 fault:\n  REDIS_URL has a % .* write %25/, url)
  }
  for (const url of [
    'redis://h/cache',
    'redis://h/-1',
    'redis://h/1.5',
    'redis://h/0x1',
    'redis://h/1/2',
    'redis://h/1/',
  ]) {
    t.match(messageOf(url), 'REDIS_URL must end in the number of a database', url)
  }
  for (const query of ['db=x', 'family=5', 'protocol=4', 'tls=true', 'enableOfflineQueue=true']) {
    t.match(messageOf(`redis://h?${query}`), 'REDIS_URL has a parameter that is not known', query)
  }
  t.match(messageOf('redis://h/1', { REDIS_CLUSTER: 'true' }), 'a cluster has number 0 alone')
})

t.test('user and password of sentinels need sentinels, and a user needs a password', async (t) => {
  t.same(faultsOf({ REDIS_SENTINEL_PASSWORD: 'x' }), ['REDIS_SENTINEL_PASSWORD'])
  t.same(faultsOf({ REDIS_SENTINEL_USERNAME: 'x', REDIS_SENTINELS: 's:1' }), ['REDIS_SENTINEL_USERNAME'])
  const env = { REDIS_SENTINELS: 's:1', REDIS_SENTINEL_USERNAME: 'u', REDIS_SENTINEL_PASSWORD: 'p' }
  t.match(loadConfig(env).redis?.sentinels, { username: 'u', password: 'p' })
})

t.test('a cluster needs a node, and excludes sentinels', async (t) => {
  t.same(faultsOf({ REDIS_CLUSTER: 'true' }), ['REDIS_CLUSTER'])
  t.same(faultsOf({ REDIS_CLUSTER: 'true', REDIS_URL: 'redis://h', REDIS_SENTINELS: 's:1' }), ['REDIS_CLUSTER'])
  t.match(loadConfig({ REDIS_CLUSTER: 'true', REDIS_URL: 'redis://h' }).redis, { cluster: true, sentinels: undefined })
})

t.test('sentinels are host:port pairs with the name of their master', async (t) => {
  const config = loadConfig({ REDIS_SENTINELS: 'one:26379, [::1]:26380', REDIS_SENTINEL_MASTER: 'cache' })
  t.match(config.redis, {
    address: { username: undefined, password: undefined, database: 0, isTls: false },
    cluster: false,
    sentinels: {
      addresses: [
        { host: 'one', port: 26379 },
        { host: '::1', port: 26380 },
      ],
      master: 'cache',
    },
  })
  for (const list of ['one', 'one:0', 'one:70000', 'redis://one:1', ',']) {
    t.same(faultsOf({ REDIS_SENTINELS: list }), ['REDIS_SENTINELS'], list)
  }
})

t.test('the plugin decorates the instance and logs a made admin token', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line: string) => void lines.push(line) } } })
  const config = loadConfig({ RAILWAY_DEPLOYMENT_ID: 'd1', NODE_ENV: 'development' })
  await app.register(configPlugin, { config })
  t.equal(app.config, config)
  t.match(lines.join(''), config.adminTokens[0])
  t.match(lines.join(''), 'DATABASE_URL is not set')
  await app.close()
})

t.test('no other file of the service reads the environment', async (t) => {
  const root = join(import.meta.dirname, '../..')
  const folders = ['plugins', 'routes', 'services']
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  const sources = files.filter((file) => file.endsWith('.ts') && file !== join('plugins', 'config.ts'))
  for (const file of ['app.ts', 'server.ts', ...sources]) {
    t.notMatch(readFileSync(join(root, file), 'utf8'), /process\.env/, file)
  }
})
