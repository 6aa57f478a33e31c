import fp from 'fastify-plugin'

/**
 * `Roundhouse-Min-Version`: the request, authentication included, is answered by nothing older than the write whose
 * `Roundhouse-Version` that is. A header that this service did not give out is refused before anything is asked of the database.
 */
export default fp(
  async (fastify) => {
    const { cache, versionTokens } = fastify
    fastify.addHook('onRequest', (request, _, done) => {
      const token = request.headers['roundhouse-min-version']
      if (token === undefined) return done()
      waitFor(token.toString()).then(() => done(), done)
    })

    async function waitFor(token: string): Promise<void> {
      await cache.waitFor(versionTokens.open(token, cache.identity))
    }
  },
  {
    name: 'min-version',
    fastify: '5.x',
    dependencies: ['cache', 'services'],
    decorators: { fastify: ['cache', 'versionTokens'] },
  },
)
