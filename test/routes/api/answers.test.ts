import { fastify } from 'fastify'
import t from 'tap'
import { answerDocument, answerLookup, cacheStatus, type Lookup } from '../../../routes/api/answers.js'
import { Document } from '../../../services/documents/document.js'
import { until } from '../../helpers/deadline.js'

const LOOKUP: Lookup = {
  value: undefined,
  outcome: 'hit',
  tier: 'memory',
  ttlMs: 1_999,
  ageMs: 0,
  stored: false,
  collapsed: false,
}

const USER = { id: 'u', tokenId: 't', role: 'owner', isAdmin: false, mayInspect: false, name: 'user u' } as const

t.test('Cache-Status says how an answer was found', async (t) => {
  const miss = { ...LOOKUP, outcome: 'miss', tier: undefined } as const
  const expected: [Lookup, string][] = [
    [LOOKUP, 'roundhouse; hit; ttl=1; detail=memory'],
    [{ ...LOOKUP, tier: 'redis' }, 'roundhouse; hit; ttl=1; detail=redis'],
    [{ ...LOOKUP, outcome: 'stale', ttlMs: -1 }, 'roundhouse; hit; ttl=-1; detail=memory'],
    [{ ...LOOKUP, outcome: 'stale-if-error', ttlMs: -1_001 }, 'roundhouse; hit; ttl=-2; detail=stale-if-error'],
    [miss, 'roundhouse; fwd=miss'],
    [{ ...miss, stored: true }, 'roundhouse; fwd=miss; stored'],
    [{ ...miss, stored: true, collapsed: true }, 'roundhouse; fwd=miss; stored; collapsed'],
    [{ ...miss, outcome: 'bypass' }, 'roundhouse; fwd=bypass'],
  ]
  for (const [lookup, status] of expected) t.equal(cacheStatus(lookup), status)
})

t.test('who could not be checked gets what is marked, and nothing newer', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const document = new Document('{}', '"x"')
  app.decorateRequest('user', null)
  const told = { isStale: false, outcome: 'hit' as Lookup['outcome'] }
  app.get('/', (request, reply) => {
    request.user = { ...USER, isStale: told.isStale }
    return answerLookup(request, reply, { ...LOOKUP, outcome: told.outcome, value: document }, 'design')
  })
  for (told.isStale of [false, true]) {
    for (told.outcome of ['hit', 'stale', 'miss', 'bypass', 'stale-if-error'] as const) {
      const { statusCode } = await app.inject('/')
      const mayRead = !told.isStale || told.outcome === 'stale-if-error'
      t.equal(statusCode, mayRead ? 200 : 503, `${told.isStale} ${told.outcome}`)
    }
  }
})

t.test('only what memory holds is compressed', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const newDocument = () => new Document(JSON.stringify('x'.repeat(5_000)), '"x"')
  for (const tier of ['redis', undefined, 'memory'] as const) {
    const lookup = { ...LOOKUP, tier, value: newDocument() }
    app.get(`/${tier}`, (request, reply) => answerLookup(request, reply, lookup, 'design'))
  }
  const uncached = newDocument()
  app.get('/uncached', (request, reply) => answerDocument(request, reply, uncached))
  const codingOf = async (url: string) => {
    const { headers } = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
    t.equal(headers['vary'], 'Authorization, Accept-Encoding')
    return headers['content-encoding']
  }
  const others = ['/redis', '/undefined', '/uncached']
  for (const url of others) for (let n = 0; n < 5; n += 1) t.equal(await codingOf(url), undefined, url)
  await until(async () => (await codingOf('/memory')) === 'gzip', { describe: 'what memory holds is compressed' })
  for (const url of others) t.equal(await codingOf(url), undefined, url)
})
