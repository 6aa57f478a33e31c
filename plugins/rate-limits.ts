import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RateLimitedError } from '../services/errors.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts a token that was refused, by the address it came from; what to answer instead when that address has had too many of them. */
    countRefusedToken: (request: FastifyRequest, reply: FastifyReply) => Promise<Error | undefined>
  }
}

const WINDOW_MS = 60_000
/** How often it is looked how many replicas there are. */
const LOOK_EVERY_MS = 5_000
/** Tokens, or addresses, that are counted at a time. Who was not seen for longest is forgotten, and begins anew. */
const MOST_COUNTED = 20_000

/**
 * How often one token of a user's may ask, and how many refused tokens one address may send, in a minute. Each replica counts for itself,
 * and allows its share of the limit. What needs no token (health, statistics) and administrators are free. Nothing is installed where
 * nothing is configured.
 */
export default fp(
  async (fastify) => {
    const { requestsPerMinute, refusedTokensPerMinute } = fastify.config.rateLimits
    if (requestsPerMinute === 0 && refusedTokensPerMinute === 0) {
      fastify.decorate('countRefusedToken', async () => undefined)
      return
    }

    let replicas = 1
    const count = async (): Promise<void> => {
      const all = await fastify.replicas.all()
      // None, before the first report.
      replicas = Math.max(1, all.filter(({ isSilent }) => !isSilent).length)
    }
    const look = setInterval(() => void count(), LOOK_EVERY_MS).unref()
    fastify.addHook('onClose', async () => clearInterval(look))
    const shareOf = (limit: number): number => Math.max(1, Math.ceil(limit / replicas))

    await fastify.register(rateLimit, {
      global: requestsPerMinute > 0,
      enableDraftSpec: true,
      timeWindow: WINDOW_MS,
      cache: MOST_COUNTED,
      // Routes are guarded by now: their guards come before it.
      max: () => shareOf(requestsPerMinute),
      allowList: ({ user }: FastifyRequest) => user?.tokenId === undefined,
      keyGenerator: ({ user }) => user?.tokenId ?? '',
      errorResponseBuilder: () => new RateLimitedError('requests with this token'),
    })

    const refusedTokens = fastify.createRateLimit({
      max: () => shareOf(refusedTokensPerMinute),
      timeWindow: WINDOW_MS,
      allowList: [],
      keyGenerator: ({ clientAddress }) => normalizeIP(clientAddress),
    })
    fastify.decorate('countRefusedToken', async (request, reply) => {
      if (refusedTokensPerMinute === 0) return undefined
      const counted = await refusedTokens(request)
      if (counted.isAllowed || !counted.isExceeded) return undefined
      reply.header('retry-after', counted.ttlInSeconds)
      return new RateLimitedError('refused tokens from this address')
    })
  },
  {
    name: 'rate-limits',
    fastify: '5.x',
    dependencies: ['config', 'replicas', 'client-address'],
    decorators: { fastify: ['config', 'replicas'] },
  },
)
