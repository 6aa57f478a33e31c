import t from 'tap'
import { runDrill } from '../drill.js'
import { reportText } from '../report.js'
import { brokenOf, engines } from './engines.js'

t.setTimeout(120_000)

/** One of them; the others take minutes (`npm run drill:engines`). */
const NAME = 'redis-tls'

t.test('the coherence drill over TLS, as a user with no more rights than the docs say', async (t) => {
  const engine = engines[NAME]?.engine()
  if (engine === undefined) throw new Error(`There is no ${NAME}`)
  const log = (line: string): void => t.comment(line)
  const options = { seed: 20_261_126, minutes: 'short', boundMs: 1_000, recoveryLimitMs: 30_000, log } as const
  const report = await runDrill({ ...options, engine: { ...engine, rounds: engine.rounds.slice(0, 2) } })
  t.comment(reportText(report, options))
  t.same(brokenOf(NAME, report), [])
  t.ok((report.clients.answeredBy['redis'] ?? 0) > 10, `Redis answered ${report.clients.answeredBy['redis']} times`)
})

t.test('what a promoted standby may have lost is no fault of the cache, what stays different is', async (t) => {
  const final = { acknowledgedWrites: 1, lostWrites: ['a'], comparedDocuments: 1, different: [] }
  const clients = { violationCount: { 'a read beyond the bound': 1 }, final }
  const verified = { confirmed: 1, missed: 0, undecided: 0 }
  const report = { happenings: [], unexpectedExits: [], clients, verified } as unknown as Parameters<typeof brokenOf>[1]
  t.same(brokenOf('standby-asynchronous', report), [])
  t.equal(brokenOf('standby-synchronous', report).length, 2)
  const missing = { ...report, verified: { ...verified, missed: 1 } }
  t.match(brokenOf('standby-asynchronous', missing), [/nobody was told/])
  const different = { ...report, clients: { ...report.clients, final: { ...final, different: ['b'] } } }
  t.equal(brokenOf('standby-asynchronous', different).length, 1)
})
