import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** What a page may read of an answer, besides the few headers that every page may. */
const EXPOSED = [
  'Accept-Patch',
  'Accept-Post',
  'Age',
  'Allow',
  'Cache-Status',
  'ETag',
  'Idempotency-Replayed',
  'Location',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
  'Roundhouse-Version',
  'Server-Timing',
  'WWW-Authenticate',
  'X-Railway-Request-Id',
]

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** How long a browser remembers that it may ask: more than the 2 hours that Chromium takes is of no use. */
const PREFLIGHT_SECONDS = 7_200

/** Requests of pages that may read their answers, and the origin that says so. */
const readers = new WeakMap<object, string>()

/** The lines of CORS for an answer that no hook has seen, to a request whose headers had come. */
export function corsLines(request: unknown): readonly string[] {
  const origin = typeof request === 'object' && request !== null ? readers.get(request) : undefined
  return origin === undefined ? [] : [`Access-Control-Allow-Origin: ${origin}`, 'Vary: Origin']
}

/**
 * CORS for the origins of CORS_ORIGINS; nothing at all when there are none. Tokens come in a header that the page sets itself, so
 * cookies and other credentials are never allowed.
 */
export default fp(
  async (fastify) => {
    const { corsOrigins } = fastify.config
    if (corsOrigins.length === 0) return
    const allowed = new Set(corsOrigins)
    const isOpen = allowed.has('*')
    const open = { exposedHeaders: EXPOSED, methods: METHODS, maxAge: PREFLIGHT_SECONDS, strictPreflight: false }
    // What is not a preflight of an allowed origin goes on as if there were no CORS.
    const optionsFor = ({ method, headers, raw }: FastifyRequest): FastifyCorsOptions => {
      const { origin = '', 'access-control-request-method': asked } = headers
      const isAllowed = origin !== '' && (isOpen || allowed.has(origin))
      if (!isAllowed) return { origin: false }
      readers.set(raw, isOpen ? '*' : origin)
      return { ...open, origin: isOpen ? '*' : origin, preflight: method === 'OPTIONS' && asked !== undefined }
    }
    await fastify.register(cors, {
      delegator: (request, done) => done(null, optionsFor(request)),
    })
    // Routes set a Vary of their own, over the one that the plugin set when the request came.
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      const vary = String(reply.getHeader('vary') ?? '')
      if (!/\borigin\b/i.test(vary)) reply.header('vary', vary === '' ? 'Origin' : `${vary}, Origin`)
      done(null, payload)
    })
  },
  { name: 'cors', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
