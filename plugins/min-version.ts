import fp from 'fastify-plugin'
import { JournalUnavailableError } from '../services/cache/index.js'
import { ServiceUnavailableError } from '../services/errors.js'

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
      try {
        await cache.waitFor(versionTokens.open(token, cache.identity))
      } catch (error) {
        throw error instanceof JournalUnavailableError ? new ServiceUnavailableError() : error
      }
    }
  },
  {
    name: 'min-version',
    fastify: '5.x',
    dependencies: ['cache', 'services'],
    decorators: { fastify: ['cache', 'versionTokens'] },
  },
)
