import { defineRailway, github, postgres, preserve, project, redis, service } from 'railway/iac'

/**
 * Plan with `npx railway config plan`, then `npx railway config apply`. What is not listed here is planned for deletion, so
 * every variable of the service must be; `preserve()` keeps the value that was set by hand.
 * railway.json says the same for services that still read it; a test compares the two.
 */
export default defineRailway(({ environment }) => {
  const isProduction = environment === 'production'
  const database = postgres('Postgres')
  const cache = redis('Redis')
  const api = service('api', {
    // Your copy of this repository. checkSuites: wait for CI.
    source: github('OWNER/REPO', { branch: 'main', checkSuites: true }),
    build: { builder: 'DOCKERFILE', dockerfilePath: 'Dockerfile' },
    preDeploy: 'node dist/migrate.js',
    healthcheck: '/api/cache/health',
    healthcheckTimeout: 120,
    replicas: isProduction ? 2 : 1,
    deploy: {
      restartPolicyMaxRetries: 10,
      overlapSeconds: 20,
      drainingSeconds: 30,
      sleepApplication: false,
      limitOverride: { containers: { memoryBytes: 1_073_741_824 } },
    },
    env: {
      NODE_ENV: 'production',
      // The heap's own limit: about 70 % of memoryBytes, in MiB.
      NODE_OPTIONS: '--max-old-space-size=716',
      DATABASE_URL: database.env.DATABASE_URL,
      REDIS_URL: cache.env.REDIS_URL,
      // With the default of 1,000 most of CACHE_MAX_MEMORY_BYTES stays unused.
      CACHE_MAX_MEMORY_ITEMS: '50000',
      // Of a token, and of an address whose tokens are refused; of all replicas together.
      RATE_LIMIT_PER_MINUTE: '6000',
      RATE_LIMIT_REFUSED_TOKENS: '60',
      RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '30',
      ADMIN_TOKENS: preserve(),
    },
  })
  return project('roundhouse', { resources: [database, cache, api] })
})
