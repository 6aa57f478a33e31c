import bearerAuth from '@fastify/bearer-auth'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { ForbiddenError, TooManyRequestsError, UnauthorizedError } from '../services/errors.js'
import { Authenticator, type Principal } from '../services/users/authenticator.js'

type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking; null where no guard runs. */
    user: Principal | null
  }
  /** Guards are `onRequest` hooks of the scope they guard: they run before a body is read. */
  interface FastifyInstance {
    /** A user, for their own rows. An administrator has none: 403. */
    requireUser: Guard
    /** An administrator; a user gets 403. */
    requireAdmin: Guard
    /**
     * An administrator or any user; where the path has a `user_id`, that user. Another one gets 403: the path names a
     * user openly, there is nothing to hide. (Rows of another user, in contrast, are 404.)
     */
    requireAdminOrUser: Guard
  }
}

const ADMIN: Principal = { id: undefined, tokenId: undefined, role: undefined, isAdmin: true }

const FLOOD_LOG_EVERY_MS = 60_000

const BEARER = /^Bearer +(\S+) *$/i

/** The token of an Authorization header; empty when there is none. The usual spelling is taken without the pattern. */
function tokenIn(header: string | undefined): string {
  if (header === undefined) return ''
  if (header.startsWith('Bearer ') && !header.includes(' ', 7)) return header.slice(7)
  return BEARER.exec(header)?.[1] ?? ''
}

/** Bearer tokens (RFC 6750): those of ADMIN_TOKENS, and those of users. */
export default fp(
  async (fastify) => {
    const { users, tokens, cache, config } = fastify
    const authenticator = new Authenticator({ users, tokens, cache, wallMs: systemClock.wallMs, now: systemClock.now })
    await fastify.register(bearerAuth, { addHook: false, keys: new Set<string>() })
    const verifierOf = fastify.verifyBearerAuthFactory
    if (verifierOf === undefined) throw new Error('@fastify/bearer-auth decorates verifyBearerAuthFactory')

    // With hooks of its own bearer-auth would answer by itself: a refusal without WWW-Authenticate and our error body, and a
    // lookup that could not be made with 500 instead of 503. Without, plugins/errors.ts answers what it refuses with.
    const common = { addHook: false, specCompliance: 'rfc6749', verifyErrorLogLevel: 'debug' } as const
    const verifyAdmin = verifierOf({ ...common, keys: config.adminTokens })
    const verifyUser = verifierOf({
      ...common,
      keys: [],
      async auth(text, request) {
        const principal = await authenticator.authenticate(text)
        request.user = principal ?? null
        return principal !== undefined
      },
    })

    let toldAt = Number.NEGATIVE_INFINITY
    const tellOfFlood = (): void => {
      if (systemClock.now() - toldAt < FLOOD_LOG_EVERY_MS) return
      toldAt = systemClock.now()
      fastify.log.warn('Somebody invents tokens: those without a MAC that were not used here before get 429 for now')
    }

    /** `accept` looks at the principal and may refuse it with an error. */
    const guard = (accept: (principal: Principal, request: FastifyRequest) => Error | undefined): Guard =>
      function authenticate(request, reply, done) {
        const text = tokenIn(request.headers.authorization)
        // In the common case nothing is waited for: bearer-auth would go through a promise in any case.
        request.user = authenticator.peek(text) ?? null
        if (request.user !== null) return done(accept(request.user, request))

        const isUserToken = tokens.read(text) !== undefined
        const verify = isUserToken ? verifyUser : verifyAdmin
        verify(request, reply, (error) => {
          if (error instanceof TooManyRequestsError) tellOfFlood()
          if (error !== undefined) return done(error)
          if (!isUserToken) request.user = ADMIN
          done(request.user === null ? new UnauthorizedError() : accept(request.user, request))
        })
      }

    fastify.decorateRequest('user', null)
    fastify.decorate(
      'requireUser',
      guard(({ isAdmin }) => (isAdmin ? new ForbiddenError() : undefined)),
    )
    fastify.decorate(
      'requireAdmin',
      guard(({ isAdmin }) => (isAdmin ? undefined : new ForbiddenError())),
    )
    fastify.decorate(
      'requireAdminOrUser',
      guard(({ isAdmin, id }, request) => (isAdmin || isOpenTo(id, request) ? undefined : new ForbiddenError())),
    )
  },
  {
    name: 'auth',
    fastify: '5.x',
    dependencies: ['config', 'services'],
    decorators: { fastify: ['config', 'cache', 'users', 'tokens'] },
  },
)

function isOpenTo(userId: string | undefined, { params }: FastifyRequest): boolean {
  const isNamed = typeof params === 'object' && params !== null && 'user_id' in params
  return !isNamed || String(params.user_id).toLowerCase() === userId
}
