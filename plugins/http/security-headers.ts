import fp from 'fastify-plugin'

/** No browser takes an answer for another type than it says: what a tenant has written is never run as a page. */
export const NO_SNIFFING = ['x-content-type-options', 'nosniff'] as const

/**
 * The one header of security that every answer has, of programs' too. Pages have all those of helmet (routes/pages.ts): its plugin waits
 * for a promise in every request of its scope, so hits are outside. Answers of the API need no more: they are JSON for who brings a token
 * in a header, so there is nothing to frame, to embed or to run. Strict-Transport-Security is for what ends TLS.
 */
export default fp(
  async (fastify) => {
    const [name, value] = NO_SNIFFING
    fastify.addHook('onRequest', (_request, reply, done) => {
      reply.header(name, value)
      done()
    })
  },
  { name: 'security-headers', fastify: '5.x' },
)
