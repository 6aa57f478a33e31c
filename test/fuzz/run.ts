import { parseArgs } from 'node:util'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'
import { freePort } from '../helpers/servers/servers.js'
import { ServiceProcess } from '../helpers/service-process.js'
import { fuzz, type Limits } from './fuzz.js'
import { printHeading, printReport } from './print.js'
import { ADMIN_TOKENS_SETTING } from './scene.js'

/**
 * `npm run fuzz`: asks a service of its own, with a PostgreSQL and a Redis of its own, what nobody should ask, and ends with 1 when a
 * promise did not hold.
 *   --requests N --seed S    the same seed sends the same requests, but for ids and tokens
 */
const { values } = parseArgs({ options: { requests: { type: 'string' }, seed: { type: 'string' } } })
const TOKEN_SECRET = 'a-secret-that-nobody-tells-0123456789'
const PASSWORD = 'a-password-that-nobody-tells'
/** Few requests say nothing about memory: it is still filling. */
const ENOUGH_FOR_MEMORY = 20_000

const requests = Number(values.requests ?? 100_000)
const limits: Limits = {
  requests,
  seed: Number(values.seed ?? Date.now() % 1_000_000),
  atOnce: 16,
  limitMs: 2_000,
  wireShare: 0.1,
  isMemoryJudged: requests >= ENOUGH_FOR_MEMORY,
  secrets: [TOKEN_SECRET, PASSWORD],
}
if (![limits.requests, limits.seed].every((number) => Number.isInteger(number) && number > 0)) {
  console.error('Usage: npm run fuzz -- [--requests N] [--seed S]')
  process.exit(2)
}

const ends: (() => unknown)[] = []
try {
  process.exitCode = await main()
} finally {
  for (const end of ends.toReversed()) await end()
}

async function main(): Promise<number> {
  const [postgres, redis, port] = [await startPostgres(), await startRedis(), await freePort()]
  ends.push(
    () => postgres.stop(),
    () => redis.stop(),
  )
  const url = new URL(await postgres.createDatabase())
  // The server asks for none; the log must not tell it all the same.
  url.password = PASSWORD
  const service = new ServiceProcess(
    { teardown: (end) => void ends.push(() => end()) },
    {
      ADMIN_TOKENS: ADMIN_TOKENS_SETTING,
      CORS_ORIGINS: 'https://a.example',
      DATABASE_QUEUE_MS: '60000',
      DATABASE_SILENCE_MS: '10000',
      DATABASE_WRITE_QUEUE_MS: '60000',
      DATABASE_URL: url.href,
      DEBUG_LOGGING: 'true',
      HOST: '127.0.0.1',
      // What is refused under load is no fault, and not looked for here.
      MAX_LOOP_DELAY_MS: '60000',
      NODE_ENV: 'production',
      NODE_OPTIONS: '--max-old-space-size=256',
      PORT: String(port),
      REDIS_URL: redis.url,
      TOKEN_SECRET,
    },
  )
  await service.listening()
  printHeading(limits, 'a process of its own on PostgreSQL and Redis')
  const report = await fuzz({ port, log: () => service.output }, limits)
  printReport(report)
  return report.brokenCount === 0 ? 0 : 1
}
