import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RouteNotFoundError } from '../../services/errors.js'
import { weightOf } from '../api/accept.js'
import { takesGzip } from '../api/accept-encoding.js'
import { pageScope } from '../pages.js'
import { pageFiles, type PageFile } from './files.js'

/** The dashboard: static files without a secret, and the way there from `/`. Its figures come from /api/cache/live, with a token. */
const routes: FastifyPluginAsync = async (fastify) => {
  await pageScope(fastify, { hasTrustedTypes: true })
  // Made when somebody looks: nobody waits for it at a start.
  let files: ReadonlyMap<string, PageFile> | undefined
  const answer = (request: FastifyRequest, reply: FastifyReply, name: string): FastifyReply => {
    files ??= pageFiles()
    const file = files.get(name)
    if (file === undefined) throw new RouteNotFoundError(request.method, `/dashboard/${name.slice(0, 100)}`)
    return answerFile(request, reply, file)
  }

  const schema = { hide: true }
  fastify.get('/', { schema }, async (request, reply) => {
    reply.header('vary', 'Accept')
    if (!wantsPage(request)) throw new RouteNotFoundError(request.method, '/')
    // Relative: a proxy may have put anything before our path.
    return reply.header('cache-control', 'no-cache').redirect('dashboard', 302)
  })

  fastify.get('/dashboard', { schema }, async (request, reply) => {
    // The page names its files beside itself.
    const [path = ''] = request.url.split('?', 1)
    return path.endsWith('/') ? reply.redirect('../dashboard', 302) : answer(request, reply, 'index.html')
  })

  fastify.get<{ Params: { file: string } }>('/dashboard/:file', { schema }, async (request, reply) =>
    answer(request, reply, request.params.file),
  )
}

/** A browser says that it wants HTML; programs that take anything are answered as by the API. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return weightOf(headers.accept, 'text/html') > 0
}

function answerFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.header('cache-control', 'no-cache').header('vary', 'Accept-Encoding').header('etag', file.etag)
  if (isKnown(request.headers['if-none-match'], file.etag)) return reply.code(304).send()
  reply.type(file.type)
  if (!takesGzip(request.headers['accept-encoding'])) return reply.send(file.bytes)
  return reply.header('content-encoding', 'gzip').send(file.gzipped)
}

/** One weak ETag names the file, packed and plain; a proxy may have made a strong one of it. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => [etag, etag.slice(2), '*'].includes(one.trim()))
}

export default fp(routes, { name: 'dashboard', fastify: '5.x', encapsulate: true })
