import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import { InvalidRequestError } from '../../services/errors.js'

/** A name or an address, and maybe a port (RFC 9110, 7.2). */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]*|\[[0-9a-f:.]+\])(?::\d*)?$/i

/** A whole address in place of a path, as proxies are asked (RFC 9112, 3.2.2). */
const ABSOLUTE = /^https?:\/\/(?<host>[^/?#]*)(?<rest>.*)$/is

/** An external_id of 255 characters, each four bytes in percent-encoding. */
const LONGEST_PARAMETER = 255 * 12

/** No route has it. */
const UNREADABLE = '/%25'

/**
 * What the router is given, for Fastify's `rewriteUrl`. A path that it can't decode it would refuse before any hook: without the headers of
 * CORS, so that a page never reads why, and past the end of a connection. The hook below refuses it instead.
 */
export function routableUrl({ url = '/', method }: Pick<IncomingMessage, 'url' | 'method'>): string {
  const own = url.startsWith('/') ? url : withoutHost(url, method)
  return !own.includes('%') || isDecodable(own.split(/[?#]/, 1).join()) ? own : UNREADABLE
}

/** As if the host had come in its header alone; what asks about a host and no path is `*` (RFC 9112, 3.2.4). */
function withoutHost(url: string, method: string | undefined): string {
  const { rest } = ABSOLUTE.exec(url)?.groups ?? {}
  if (rest === undefined) return url
  if (rest === '' && method === 'OPTIONS') return '*'
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * What of a request's first lines Node's parser leaves to us: Host, which HTTP/1.1 wants once and well-formed (RFC 9112, 3.2), one token
 * at most, a path and a query that are UTF-8 in percent-encoding, and no part of a path that is endless. Of a line that comes twice Node takes
 * the first, and something on the way may have taken the other. The parser refuses bytes that are not ASCII.
 */
export default fp(
  async (fastify) => {
    /** The last one that was well-formed: nearly all are the same. */
    let knownHost: string | undefined
    fastify.addHook('onRequest', (request, _reply, done) => {
      const { headers, rawHeaders, httpVersion } = request.raw
      const url = request.originalUrl
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
      const fault = faultOf(url, request.params)
      done(fault === undefined ? undefined : new InvalidRequestError(fault))
    })
  },
  { name: 'urls', fastify: '5.x' },
)

/** Lengths and single characters first: this runs for every request. */
function faultOf(url: string, params: unknown): string | undefined {
  if (!url.startsWith('/') && !isOfAHost(url)) return 'The address names no host: send a path, as in GET /docs'
  if (url.includes('%') && !isDecodable(url)) {
    const part = isDecodable(url.split(/[?#]/, 1).join()) ? 'query' : 'path'
    return `The ${part} is not UTF-8 in percent-encoding: write é as %C3%A9, and % as %25`
  }
  const isLong = url.length > LONGEST_PARAMETER && hasLongPart(params)
  return isLong ? 'path: one of its parts is too long to be an id' : undefined
}

function isOfAHost(url: string): boolean {
  const host = ABSOLUTE.exec(url)?.groups?.['host']
  return host === undefined || (host !== '' && HOST.test(host))
}

/** Of the whole rest of a path, which `*` is, nobody reads anything. */
function hasLongPart(params: unknown): boolean {
  return Object.entries(params ?? {}).some(([name, part]) => name !== '*' && String(part).length > LONGEST_PARAMETER)
}

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
