import t from 'tap'
import Fastify, { type FastifyInstance } from 'fastify'
import { Type } from '@sinclair/typebox'
import errors, { answerError } from '../../../plugins/http/errors.js'
import notFound from '../../../plugins/http/not-found.js'
import { DatabaseUnavailableError } from '../../../services/database/errors.js'
import { NotFoundError, TemplateInUseError, UnauthorizedError } from '../../../services/errors.js'

const SECRET = 'connection to 10.0.0.7 with hunter2 refused'

/** An error as the database drivers make it. */
function databaseError(code: string): Error {
  return Object.assign(new Error(SECRET), { code, severity: 'ERROR' })
}

function withStatus(statusCode: number): Error {
  return Object.assign(new Error(SECRET), { statusCode, code: 'FST_SOMETHING' })
}

async function appThatThrows(error: unknown): Promise<FastifyInstance> {
  const app = Fastify({
    frameworkErrors: answerError,
    bodyLimit: 100,
    ajv: { customOptions: { removeAdditional: false } },
  })
  await app.register(errors)
  await app.register(notFound)
  app.get('/', async () => {
    throw error
  })
  return app
}

async function answerTo(error: unknown, headers: Record<string, string> = {}) {
  const app = await appThatThrows(error)
  const response = await app.inject({ url: '/', headers })
  await app.close()
  return { statusCode: response.statusCode, headers: response.headers, body: response.json(), text: response.body }
}

t.test('an error of the catalogue is answered in one shape', async (t) => {
  const { statusCode, headers, body } = await answerTo(new TemplateInUseError('id-1, id-2'))
  t.equal(statusCode, 409)
  t.same(body, {
    statusCode: 409,
    code: 'TEMPLATE_IN_USE',
    error: 'Conflict',
    message: 'Mockups use this template: delete them or give them another template first (id-1, id-2)',
  })
  t.equal(headers['content-type'], 'application/json; charset=utf-8')
  t.equal(headers['cache-control'], 'no-store')
})

t.test('the text of an unknown error stays inside', async (t) => {
  const unknown = [new Error(SECRET), withStatus(502), withStatus(200), databaseError('42P01'), databaseError('23514')]
  for (const error of unknown) {
    const { statusCode, body, text } = await answerTo(error)
    t.match({ statusCode, body }, { statusCode: 500, body: { code: 'INTERNAL_ERROR', error: 'Internal Server Error' } })
    t.notMatch(text, 'hunter2')
  }
})

t.test('SQLSTATEs have answers of their own, without the text of the database', async (t) => {
  const answers: [string, number, string][] = [
    ['22P02', 400, 'INVALID_REQUEST'],
    ['22003', 400, 'INVALID_REQUEST'],
    ['23505', 409, 'CONFLICT'],
    ['23503', 409, 'CONFLICT'],
    ...['40001', '40P01', '55P03', '57014', '57P01', '57P02', '57P03', '57P05', '53300', '25P03', '25P04', '25006'].map(
      (state): [string, number, string] => [state, 503, 'SERVICE_UNAVAILABLE'],
    ),
  ]
  for (const [state, statusCode, code] of answers) {
    const answer = await answerTo(databaseError(state))
    t.match(answer, { statusCode, body: { code } }, state)
    t.equal(answer.headers['retry-after'], statusCode === 503 ? '2' : undefined)
    t.notMatch(answer.text, 'hunter2')
  }
})

t.test('a code of Node is not taken for a SQLSTATE', async (t) => {
  for (const code of ['EPIPE', '22000']) {
    t.equal((await answerTo(Object.assign(new Error(SECRET), { code }))).statusCode, 500)
  }
})

t.test('a database that does not answer is 503 with Retry-After', async (t) => {
  const answer = await answerTo(new DatabaseUnavailableError(SECRET, { cause: undefined }))
  t.match(answer, { statusCode: 503, body: { code: 'SERVICE_UNAVAILABLE' }, headers: { 'retry-after': '2' } })
  t.notMatch(answer.text, 'hunter2')
})

t.test('401 names the scheme, and the fault of a token that came along', async (t) => {
  const challengeOf = async (authorization?: string) =>
    (await answerTo(new UnauthorizedError(), authorization === undefined ? {} : { authorization })).headers[
      'www-authenticate'
    ]
  t.equal(await challengeOf(), 'Bearer realm="roundhouse"')
  t.equal(await challengeOf('Basic abc'), 'Bearer realm="roundhouse"')
  t.equal(await challengeOf('Bearer abc'), 'Bearer realm="roundhouse", error="invalid_token"')
})

t.test('errors of other plugins get the code of their status', async (t) => {
  for (const [status, code] of [
    [401, 'UNAUTHORIZED'],
    [403, 'FORBIDDEN'],
    [429, 'TOO_MANY_REQUESTS'],
    [503, 'SERVICE_UNAVAILABLE'],
  ] as const) {
    t.match(await answerTo(withStatus(status)), { statusCode: status, body: { code } })
  }
})

t.test('a missing route is 404, without its query', async (t) => {
  const app = await appThatThrows(new NotFoundError('design'))
  const response = await app.inject({ url: '/nowhere?token=hunter2' })
  t.match(response.json(), { statusCode: 404, code: 'ROUTE_NOT_FOUND', message: /GET \/nowhere:/ })
  t.match((await app.inject('/')).json(), { code: 'NOT_FOUND', message: /no such design/ })
  t.match((await app.inject('/%zz')).json(), { statusCode: 400, code: 'INVALID_REQUEST', error: 'Bad Request' })
  await app.close()
})

t.test('requests that do not fit are told which field is wrong', async (t) => {
  const app = await appThatThrows(undefined)
  const body = Type.Object(
    {
      name: Type.Optional(Type.String({ minLength: 2 })),
      platform: Type.Optional(Type.Union([Type.Literal('etsy'), Type.Literal('shopify')])),
      note: Type.Optional(Type.Union([Type.String({ maxLength: 3 }), Type.Null()])),
      prices: Type.Optional(Type.Array(Type.Object({ cents: Type.Integer() }))),
    },
    { additionalProperties: false },
  )
  const querystring = Type.Object({ limit: Type.Optional(Type.Integer({ maximum: 100 })) })
  const params = Type.Object({ id: Type.String({ format: 'uuid' }) })
  app.post('/:id', { schema: { body, querystring, params } }, async () => 'fine')

  const id = '0198c0de-0000-7000-8000-000000000000'
  const ask = async (payload: object | string, type = 'application/json', url = `/${id}`) => {
    const response = await app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } })
    const { statusCode, code, message } = response.json()
    return [response.statusCode === statusCode, statusCode, code, message]
  }
  const invalid = (message: string) => [true, 400, 'INVALID_REQUEST', message]
  t.same(await ask({ name: 'x' }), invalid('body: name must NOT have fewer than 2 characters'))
  t.same(await ask({ colour: 'x' }), invalid('body: colour is not a known field'))
  t.same(await ask({ platform: 'ebay' }), invalid('body: platform must be one of etsy, shopify'))
  t.same(await ask({ note: 'long note' }), invalid('body: note must NOT have more than 3 characters'))
  t.same(await ask({ note: {} }), invalid('body: note must be one of string, null'))
  t.same(await ask({ prices: [{ cents: 1 }, {}] }), invalid('body: prices.1.cents is missing'))
  t.same(await ask({ prices: [{ cents: 'a' }] }), invalid('body: prices.0.cents must be integer'))
  t.same(await ask({}, undefined, `/${id}?limit=101`), invalid('query: limit must be <= 100'))
  t.same(await ask({}, undefined, '/42'), [true, 404, 'NOT_FOUND', 'path: 42 is no id: an id is a UUID'])
  t.match(await ask('{"name":'), [true, 400, 'MALFORMED_BODY'])
  t.match(await ask('', 'application/json'), [true, 400, 'MALFORMED_BODY'])
  t.match(await ask('<a/>', 'text/xml'), [true, 415, 'UNSUPPORTED_MEDIA_TYPE'])
  t.match(await ask({ name: 'x'.repeat(200) }), [true, 413, 'BODY_TOO_LARGE'])
  await app.close()
})
