import fp from 'fastify-plugin'
import { InvalidRequestError } from '../services/errors.js'

/**
 * What of a request's first lines Node's parser leaves to us: Host, without which HTTP/1.1 wants a 400 (RFC 9112, 3.2), and a query
 * that is UTF-8 in percent-encoding. The router refuses a path that is not, and the parser bytes that are not ASCII.
 */
export default fp(
  async (fastify) => {
    fastify.addHook('onRequest', (request, _reply, done) => {
      const { headers, httpVersion, url = '' } = request.raw
      if (headers.host === undefined && httpVersion === '1.1') {
        return done(new InvalidRequestError('headers: host is missing: HTTP/1.1 wants to know which host is asked'))
      }
      if (!url.includes('%') || isDecodable(url)) return done()
      done(new InvalidRequestError('The query is not UTF-8 in percent-encoding: write é as %C3%A9, and % as %25'))
    })
  },
  { name: 'urls', fastify: '5.x' },
)

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}
