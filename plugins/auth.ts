import bearerAuth from '@fastify/bearer-auth'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { ForbiddenError, ServiceUnavailableError, TooManyRequestsError, UnauthorizedError } from '../services/errors.js'
import { adminTokenItem } from '../services/config/admin-tokens.js'
import type { Access } from '../services/openapi/route.js'
import { Administrators } from '../services/users/administrators.js'
import { Authenticator, type Principal } from '../services/users/authenticator.js'

/** An `onRequest` hook that says whom it lets through. */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void
  readonly access: Access
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking; null where no guard runs. */
    user: Principal | null
  }
  /** Guards are `onRequest` hooks of the scope they guard: they run before a body is read. */
  interface FastifyInstance {
    /** A user, for their own rows. An administrator has none: 403. A user who can't be checked now reads only: 503 to the rest. */
    requireUser: Guard
    /** An administrator; a user gets 403, and so does an administrator who may only look. */
    requireAdmin: Guard
    /** An administrator, also one who may only look. */
    requireInspector: Guard
    /** An administrator of any kind, also one who may only read metrics. */
    requireScraper: Guard
    /**
     * An administrator or any user; where the path has a `user_id`, that user. Another one gets 403: the path names a
     * user openly, there is nothing to hide. (Rows of another user, in contrast, are 404.) A user who can't be checked now gets 503.
     */
    requireAdminOrUser: Guard
    /**
     * May the user of a request that was let in a while ago still read?
     * @throws ServiceUnavailableError and what a lookup throws when nobody can tell now
     */
    isStillGood: (request: FastifyRequest) => Promise<boolean>
  }
}

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
    const { credentials, cache, config } = fastify
    const administrators = new Administrators(
      config.adminTokens.flatMap((item, index) => adminTokenItem(item, index) ?? []),
    )
    const { wallMs, now } = systemClock
    const staleIfErrorMs = config.staleIfErrorSeconds * 1_000
    const authenticator = new Authenticator({ credentials, cache, staleIfErrorMs, wallMs, now })
    await fastify.register(bearerAuth, { addHook: false, keys: new Set<string>() })
    const verifierOf = fastify.verifyBearerAuthFactory
    if (verifierOf === undefined) throw new Error('@fastify/bearer-auth decorates verifyBearerAuthFactory')

    // With hooks of its own bearer-auth would answer by itself: a refusal without WWW-Authenticate and our error body, and a
    // lookup that could not be made with 500 instead of 503. Without, plugins/http/errors.ts answers what it refuses with.
    const verify = verifierOf({
      addHook: false,
      specCompliance: 'rfc6749',
      verifyErrorLogLevel: 'debug',
      keys: [],
      async auth(text, request) {
        const claim = authenticator.claimOf(text)
        const found = claim === undefined ? administrators.find(text) : await authenticator.authenticate(text, claim)
        request.user = found ?? null
        return request.user !== null
      },
    })

    let toldAt = Number.NEGATIVE_INFINITY
    const tellOfFlood = (): void => {
      if (systemClock.now() - toldAt < FLOOD_LOG_EVERY_MS) return
      toldAt = systemClock.now()
      fastify.log.warn('Somebody invents tokens: those without a MAC that were not used here before get 429 for now')
    }

    const refuseToken = (
      refusal: Error,
      request: FastifyRequest,
      reply: FastifyReply,
      done: HookHandlerDoneFunction,
    ): void => {
      // An app of somebody else may do without limits.
      if (!fastify.hasDecorator('countRefusedToken')) return done(refusal)
      fastify.countRefusedToken(request, reply).then((limited) => done(limited ?? refusal), done)
    }

    /** `accept` looks at the principal and may refuse it with an error. */
    const guard = (
      access: Access,
      accept: (principal: Principal, request: FastifyRequest) => Error | undefined,
    ): Guard => {
      function authenticate(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const text = tokenIn(request.headers.authorization)
        // In the common case nothing is waited for: bearer-auth would go through a promise in any case.
        request.user = authenticator.peek(text) ?? null
        if (request.user !== null) return done(accept(request.user, request))

        verify(request, reply, (error) => {
          if (error instanceof TooManyRequestsError) tellOfFlood()
          if (error === undefined && request.user !== null) return done(accept(request.user, request))
          const refusal = error ?? new UnauthorizedError()
          if (text === '' || !isUnauthorized(refusal)) return done(refusal)
          refuseToken(refusal, request, reply, done)
        })
      }
      return Object.assign(authenticate, { access })
    }

    fastify.decorate('isStillGood', async ({ headers, user }) => {
      const text = tokenIn(headers.authorization)
      const principal = authenticator.peek(text) ?? (await authenticator.authenticate(text))
      if (principal?.isStale === true) throw new ServiceUnavailableError()
      return principal?.id !== undefined && principal.id === user?.id
    })
    fastify.decorateRequest('user', null)
    fastify.decorate(
      'requireUser',
      guard('user', ({ id, isStale }, { method }) => {
        if (id === undefined) return new ForbiddenError()
        return isStale && method !== 'GET' && method !== 'HEAD' ? new ServiceUnavailableError() : undefined
      }),
    )
    fastify.decorate(
      'requireAdmin',
      guard('admin', ({ isAdmin }) => (isAdmin ? undefined : new ForbiddenError())),
    )
    fastify.decorate(
      'requireInspector',
      guard('inspector', ({ mayInspect }) => (mayInspect ? undefined : new ForbiddenError())),
    )
    fastify.decorate(
      'requireScraper',
      guard('scraper', ({ id }) => (id === undefined ? undefined : new ForbiddenError())),
    )
    fastify.decorate(
      'requireAdminOrUser',
      guard('admin or user', ({ isAdmin, id, isStale }, request) => {
        if (!isAdmin && !isOpenTo(id, request)) return new ForbiddenError()
        return isStale ? new ServiceUnavailableError() : undefined
      }),
    )
  },
  {
    name: 'auth',
    fastify: '5.x',
    dependencies: ['config', 'services'],
    decorators: { fastify: ['config', 'cache', 'credentials'] },
  },
)

function isUnauthorized(error: Error): boolean {
  return 'statusCode' in error && error.statusCode === 401
}

function isOpenTo(userId: string | undefined, { params }: FastifyRequest): boolean {
  if (userId === undefined) return false
  const isNamed = typeof params === 'object' && params !== null && 'user_id' in params
  return !isNamed || String(params.user_id).toLowerCase() === userId
}
