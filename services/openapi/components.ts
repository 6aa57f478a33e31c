import { STATUS_TEXTS } from '../status-texts.js'
import { ERRORS_OF_NO_ROUTE, knownErrors } from './errors.js'
import type { Access } from './route.js'

/** Of the API, as package.json has it; a test keeps the two equal. */
const VERSION = '0.1.0'

export const introduction = {
  info: {
    title: 'Roundhouse',
    version: VERSION,
    license: { name: 'MIT', identifier: 'MIT' },
    description: [
      'Designs, templates, mockups, users and their API tokens, behind a cache that stays coherent over all replicas.',
      'Send `Authorization: Bearer <token>`. An administrator makes users and their tokens; every row belongs to the user who made it.',
      'Errors are `{statusCode, code, error, message}`: decide by `code`. Any request may also be answered with one of ' +
        `${ERRORS_OF_NO_ROUTE.map((code) => `\`${code}\``).join(', ')}.`,
    ].join('\n\n'),
  },
} as const

/** By who may call: one of these. */
export const security: Readonly<Record<Access, readonly Readonly<Record<string, readonly string[]>>[]>> = {
  user: [{ userToken: [] }],
  admin: [{ adminToken: [] }],
  inspector: [{ adminToken: [] }, { readOnlyToken: [] }],
  scraper: [{ adminToken: [] }, { readOnlyToken: [] }, { metricsToken: [] }],
  'admin or user': [{ adminToken: [] }, { userToken: [] }],
}

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description })

const header = (name: string, description: string, example?: string) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
  ...(example !== undefined && { example }),
})

const answerHeader = (description: string, example?: string) => ({
  description,
  schema: { type: 'string' },
  ...(example !== undefined && { example }),
})

const ETAG = '"0199d3c47a517c3e-1"'

export const components = {
  securitySchemes: {
    userToken: bearer('Of one user, for their own rows: POST /api/users/{user_id}/tokens makes one.'),
    adminToken: bearer('One of ADMIN_TOKENS.'),
    readOnlyToken: bearer('One of ADMIN_TOKENS that may only look: name:read:token.'),
    metricsToken: bearer('One of ADMIN_TOKENS that may only read /metrics: name:metrics:token.'),
  },
  parameters: {
    MinVersion: header(
      'Roundhouse-Min-Version',
      'A Roundhouse-Version of a write: nothing older than that is answered.',
    ),
    IfNoneMatch: header('If-None-Match', 'ETags that you have: 304 when one of them is still what there is.', ETAG),
    IfMatch: header('If-Match', 'The ETag that you have read: 412 when somebody was faster.', ETAG),
    LastEventId: header('Last-Event-ID', 'Of the last event that arrived: a stream goes on behind it.'),
    IdempotencyKey: header(
      'Idempotency-Key',
      'A text of yours for this create: sent again with it within a day, it makes no second row.',
      '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
    ),
  },
  headers: {
    ETag: answerHeader('Names this state of the row, or of the list.', ETAG),
    'Cache-Status': answerHeader('How it was found (RFC 9211).', 'roundhouse; hit; ttl=599; detail=memory'),
    'Roundhouse-Version': answerHeader('Of this write, for Roundhouse-Min-Version.'),
    Location: answerHeader('Where the row is, relative to the URL that was asked.'),
    'Idempotency-Replayed': answerHeader('Nothing was made now: it is the first answer again.', 'true'),
    'WWW-Authenticate': answerHeader('What is wanted (RFC 6750).', 'Bearer realm="roundhouse"'),
    'Retry-After': answerHeader('After how many seconds it may be tried again.', '2'),
  },
  schemas: {
    Error: {
      type: 'object',
      description: 'What every error answers with.',
      required: ['statusCode', 'code', 'error', 'message'],
      properties: {
        statusCode: { type: 'integer' },
        code: { type: 'string', enum: [...knownErrors.keys()], description: 'Decide by this one.' },
        error: { type: 'string', description: 'The status in words.' },
        message: { type: 'string', description: 'For people. It may change.' },
      },
    },
  },
  examples: Object.fromEntries(
    [...knownErrors].map(([code, { statusCode, message }]) => [
      code,
      { value: { statusCode, code, error: STATUS_TEXTS[statusCode] ?? '', message } },
    ]),
  ),
}

/**
 * The answer with one of these codes.
 * @param beside fields that it may have besides
 */
export function errorBody(description: string, codes: readonly string[], beside: object = {}) {
  return {
    description: `${description}: ${codes.join(', ')}`,
    content: {
      'application/json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Error' },
            { type: 'object', properties: { code: { enum: codes }, ...beside } },
          ],
        },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  }
}
