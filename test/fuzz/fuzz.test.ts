import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import t from 'tap'
import { startService } from '../helpers/app.js'
import { fuzz } from './fuzz.js'
import { ADMIN_TOKENS_SETTING } from './scene.js'

/** `npm run fuzz` is the long form. */
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 2_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)
const TOKEN_SECRET = 'a-secret-that-nobody-tells-0123456789'

t.setTimeout(200_000 + REQUESTS * 100)

t.test(`whatever is asked, the promises hold (FUZZ_SEED=${SEED})`, async (t) => {
  const lines: string[] = []
  const logDestination = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString())
      done()
    },
  })
  const env = {
    ADMIN_TOKENS: ADMIN_TOKENS_SETTING,
    TOKEN_SECRET,
    CORS_ORIGINS: 'https://a.example',
    DATABASE_QUEUE_MS: '60000',
    DATABASE_WRITE_QUEUE_MS: '60000',
    DEBUG_LOGGING: 'true',
  }
  const { app } = await startService(t, { env, isEmbedded: true, logLevel: 'debug', logDestination })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const report = await fuzz(
    { port, log: () => lines.join('') },
    {
      requests: REQUESTS,
      seed: SEED,
      atOnce: 16,
      // Other tests run beside it.
      limitMs: 10_000,
      wireShare: 0.1,
      isMemoryJudged: false,
      secrets: [TOKEN_SECRET],
    },
  )
  for (const broken of report.broken) t.fail(broken.what, broken)
  t.equal(report.brokenCount, 0)
  t.ok(lines.length > REQUESTS / 2, 'and the log was looked at')
  t.ok(report.statuses.get('GET /api/designs/{id}')?.has(200), 'good requests are among them')
  t.comment(`${report.answers} answers in ${report.seconds.toFixed(1)} s`)
})
