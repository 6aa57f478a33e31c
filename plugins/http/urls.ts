import fp from 'fastify-plugin'
import { InvalidRequestError } from '../../services/errors.js'

/** A name or an address, and maybe a port (RFC 9110, 7.2). */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[0-9a-f:.]+\])(?::\d*)?$/i

/**
 * What of a request's first lines Node's parser leaves to us: Host, which HTTP/1.1 wants once and well-formed (RFC 9112, 3.2), one token
 * at most, and a query that is UTF-8 in percent-encoding. Of a line that comes twice Node takes the first, and something on the way may
 * have taken the other. The router refuses a path that is not UTF-8, and the parser bytes that are not ASCII.
 */
export default fp(
  async (fastify) => {
    /** The last one that was well-formed: nearly all are the same. */
    let knownHost: string | undefined
    fastify.addHook('onRequest', (request, _reply, done) => {
      const { headers, rawHeaders, httpVersion, url = '' } = request.raw
      const { host } = headers
      if (host === undefined && httpVersion === '1.1') {
        return done(new InvalidRequestError('headers: host is missing: HTTP/1.1 wants to know which host is asked'))
      }
      if (host !== undefined && host !== knownHost) {
        if (!HOST.test(host)) return done(new InvalidRequestError('headers: host is no name or address of a host'))
        knownHost = host
      }
      const repeated = repeatedLine(rawHeaders)
      if (repeated !== undefined) return done(new InvalidRequestError(`headers: ${repeated} must be sent once`))
      if (!url.includes('%') || isDecodable(url)) return done()
      done(new InvalidRequestError('The query is not UTF-8 in percent-encoding: write é as %C3%A9, and % as %25'))
    })
  },
  { name: 'urls', fastify: '5.x' },
)

/** Names and values in turn. Lengths first: this runs for every request. */
function repeatedLine(rawHeaders: readonly string[]): 'host' | 'authorization' | undefined {
  let hosts = 0
  let tokens = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    else if (name.length === 13 && name.toLowerCase() === 'authorization') tokens += 1
  }
  if (hosts > 1) return 'host'
  return tokens > 1 ? 'authorization' : undefined
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}
