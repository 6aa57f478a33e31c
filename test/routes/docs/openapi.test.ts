import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { ERRORS_OF_NO_ROUTE, errorsOf, knownErrors } from '../../../services/openapi/errors.js'
import { operationOf } from '../../../services/openapi/operation.js'
import type { Route } from '../../../services/openapi/route.js'
import { ADMIN_TOKEN, type Answer, Caller, startService } from '../../helpers/app.js'

const ROOT = join(import.meta.dirname, '../../..')
const READ_TOKEN = 'a-token-of-the-tests-that-may-look-0123456789'
const METRICS_TOKEN = 'a-token-of-the-tests-for-metrics-0123456789'

const ADMIN_TOKENS = [ADMIN_TOKEN, `looks:read:${READ_TOKEN}`, `prometheus:metrics:${METRICS_TOKEN}`].join(',')
const { app, anonymous, admin, newUser } = await startService(t, { env: { ADMIN_TOKENS } })
const user = await newUser()
const document = JSON.parse(await app.openapi())
const routes = app.apiRoutes().filter(({ schema }) => schema.hide !== true)
const resources = [...app.resources.values()].map(({ definition }) => definition)
const nameOf = ({ method, url }: Route): string => `${method} ${url}`

const callers = {
  userToken: user,
  adminToken: admin,
  readOnlyToken: new Caller(app, READ_TOKEN),
  metricsToken: new Caller(app, METRICS_TOKEN),
}

/** The operation of the document. */
function documented({ method, url }: Route) {
  const path = url.replaceAll(/:(\w+)/g, '{$1}').replace(/(.)\/$/, '$1')
  return document.paths[path]?.[method.toLowerCase()]
}

/** As its examples have it; the user of a path is the one who asks. */
function urlOf(route: Route, query = ''): string {
  const path = route.url.replaceAll(/:(\w+)/g, (_, name: string) => {
    if (name === 'user_id') return user.id
    const { example } = documented(route).parameters.find((parameter: { name: string }) => parameter.name === name)
    return encodeURIComponent(example)
  })
  return query === '' ? path : `${path}?${query}`
}

function ask(caller: Caller, route: Route, query?: string): Promise<Answer | undefined> {
  const payload = documented(route).requestBody?.content['application/json'].example
  const method = route.method as 'GET'
  const answer = caller.send({ method, url: urlOf(route, query), ...(payload !== undefined && { payload }) })
  // A stream of events has no end.
  const patience = new AbortController()
  const enough = sleep(2_000, undefined, { signal: patience.signal }).catch(() => undefined)
  return Promise.race([answer, enough]).finally(() => patience.abort())
}

/** With this parameter of the query alone, or with one more where it needs that. */
async function askFor(caller: Caller, route: Route, name: string): Promise<Answer | undefined> {
  const ofQuery: { name: string; in: string; example?: unknown }[] = documented(route).parameters
  const pairs = ofQuery
    .filter(({ in: place, example }) => place === 'query' && example !== undefined)
    .map((one) => [one.name, `${one.name}=${encodeURIComponent(String(one.example))}`] as const)
  const [own = ''] = pairs.filter(([of]) => of === name).map(([, pair]) => pair)
  let answer = await ask(caller, route, own)
  for (const [of, pair] of pairs)
    if (answer?.status === 400 && of !== name) answer = await ask(caller, route, `${own}&${pair}`)
  return answer
}

/** What comes of a request that is as its documentation has it is in the documentation. */
function isDocumented(t: Test, route: Route, answer: Answer | undefined, how: string): void {
  if (answer === undefined) return
  const { status, body } = answer
  t.ok(documented(route).responses[status], `${nameOf(route)} ${how}: ${status} is documented`)
  if (status < 400 || body.code === undefined) return
  t.ok(errorsOf(route, resources).includes(body.code), `${nameOf(route)} ${how}: ${body.code} is documented`)
}

t.test('the document is valid OpenAPI 3.1, of the version that the package has', async (t) => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(structuredClone(document))
  t.ok(valid, JSON.stringify(errors)?.slice(0, 2_000) ?? '')
  t.equal(validator.version, '3.1')
  t.equal(document.info.version, JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version)
})

t.test('every route has an operationId of its own, a summary, tags, and says whose token it takes', async (t) => {
  const ids = routes.map((route) => operationOf(route).operationId)
  for (const route of routes) {
    const { operationId, summary, tags, security } = documented(route)
    t.ok(
      summary,
      `${nameOf(route)} has a summary; where none is derived (services/openapi/operation.ts) its schema says one`,
    )
    t.ok(tags.length > 0, `${nameOf(route)} has tags`)
    t.ok(Array.isArray(security), `${nameOf(route)} has security`)
    t.match(operationId, /^[a-z][A-Za-z0-9]+$/)
    t.equal(
      ids.filter((id) => id === operationId).length,
      1,
      `${nameOf(route)}: no other route is called ${operationId}`,
    )
  }
})

t.test('whose token a route takes is whom it lets in', async (t) => {
  for (const route of routes) {
    const schemes = documented(route).security.flatMap((one: object) => Object.keys(one))
    const stranger = await ask(anonymous, route)
    t.equal(stranger?.status === 401, schemes.length > 0, `${nameOf(route)} without a token: ${stranger?.status}`)
    isDocumented(t, route, stranger, 'without a token')
    if (schemes.length === 0) continue
    for (const [scheme, caller] of Object.entries(callers)) {
      // It would be the end of who asks.
      if (nameOf(route) === 'DELETE /api/users/:user_id' && scheme === 'adminToken') continue
      const answer = await ask(caller, route)
      t.equal(answer?.status !== 403, schemes.includes(scheme), `${nameOf(route)} with a ${scheme}: ${answer?.status}`)
      isDocumented(t, route, answer, `with a ${scheme}`)
    }
  }
})

t.test('every request has an example, which is taken', async (t) => {
  for (const route of routes) {
    const { security, parameters, requestBody } = documented(route)
    const [scheme] = security.flatMap((one: object) => Object.keys(one))
    const caller = scheme === undefined ? anonymous : callers[scheme as keyof typeof callers]
    if (route.schema.body !== undefined) {
      const content = requestBody.content['application/json']
      t.ok(content.example, `${nameOf(route)} has an example of its body`)
      const answer = await ask(caller, route)
      t.not(answer?.status, 400, `${nameOf(route)} takes its example: ${answer?.body.message}`)
      isDocumented(t, route, answer, 'with its example')
    }
    for (const { name, in: place, example } of parameters) {
      if (place === undefined || place === 'header') continue
      // Nobody can make a cursor up.
      if (name === 'cursor') continue
      t.not(example, undefined, `${nameOf(route)} has an example of ${name}`)
      if (place !== 'query') continue
      const answer = await askFor(caller, route, name)
      t.not(answer?.status, 400, `${nameOf(route)} takes the example of ${name}: ${answer?.body.message}`)
      isDocumented(t, route, answer, `with ${name}`)
    }
  }
})

t.test('every code of the catalogue is of some route or of none, and has an example', async (t) => {
  const ofRoutes = routes.flatMap((route) => errorsOf(route, resources))
  // A resource of one's own has it, where it names no error of its own.
  const others = [...ERRORS_OF_NO_ROUTE, 'IN_USE']
  t.same([...new Set([...ofRoutes, ...others])].toSorted(), [...knownErrors.keys()].toSorted())
  t.same(Object.keys(document.components.examples).toSorted(), [...knownErrors.keys()].toSorted())
  t.same(document.components.schemas.Error.properties.code.enum.toSorted(), [...knownErrors.keys()].toSorted())
})

t.test('what few requests meet is documented too', async (t) => {
  const responsesOf = (path: string, method: string) => document.paths[path][method].responses
  const codesOf = (path: string, method: string, status: number): string[] =>
    Object.keys(responsesOf(path, method)[status].content['application/json'].examples)

  const url = encodeURIComponent('/api/designs?cursor=x')
  const inspected = await admin.get(`/api/cache/inspect?user_id=${user.id}&url=${url}`)
  t.match(inspected, { status: 400, body: { code: 'INVALID_CURSOR' } })
  t.ok(codesOf('/api/cache/inspect', 'get', 400).includes('INVALID_CURSOR'))

  // More reads than a user may have at a time, of changes and in bulk.
  t.ok(codesOf('/api/changes', 'get', 429).includes('TOO_MANY_READS'))
  t.ok(codesOf('/api/designs/bulk', 'post', 429).includes('TOO_MANY_READS'))

  const refused = await user.post('/api/designs/bulk', { atomic: true, operations: [{ op: 'delete' }] })
  t.match(refused, { status: 422, body: { code: 'BULK_REFUSED', results: [{ status: 400 }] } })
  const [, own] = responsesOf('/api/designs/bulk', 'post')[422].content['application/json'].schema.allOf
  t.match(own.properties.results, { type: 'array', items: { properties: { status: { type: 'integer' } } } })

  t.same(Object.keys(responsesOf('/api/changes', 'get')[200].content), ['application/json', 'text/event-stream'])
})

t.test('it needs no token, and is not sent to who has it', async (t) => {
  const { status, headers, body } = await anonymous.get('/openapi.json')
  t.equal(status, 200)
  t.same(body, document)
  const again = await anonymous.get('/openapi.json', { 'if-none-match': `"other", W/${headers['etag']}` })
  t.match(again, { status: 304, text: '' })
  const packed = await anonymous.get('/openapi.json', { 'accept-encoding': 'gzip' })
  t.match(packed, { status: 200, headers: { 'content-encoding': 'gzip' }, body: document })
  t.equal((await anonymous.get('/openapi.json', { 'if-none-match': '"other"' })).status, 200)
})
