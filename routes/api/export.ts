import { pipeline } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ServiceUnavailableError } from '../../services/errors.js'
import { takesGzip } from './accept-encoding.js'
import { ownerOf } from './resource.js'

/** Half as small as the smallest for a quarter of the work. */
const GZIP_LEVEL = 3

/** `GET /export`: the caller's rows of a resource as JSON lines, all of them, in one answer. It is for whoever may read the list. */
export function addExportRoute(fastify: FastifyInstance, { name }: { readonly name: string }): void {
  const schema = { produces: 'application/x-ndjson', errors: ['TOO_MANY_EXPORTS'] }
  const options = { schema, exposeHeadRoute: false }
  const withHeaders = (reply: FastifyReply): FastifyReply =>
    reply
      .header('content-type', 'application/x-ndjson; charset=utf-8')
      .header('content-disposition', `attachment; filename="${name}.ndjson"`)
      .header('cache-control', 'no-store')
      .header('vary', 'Authorization, Accept-Encoding')

  fastify.get('/export', options, async (request, reply) => {
    if (request.user?.isStale === true) throw new ServiceUnavailableError()
    const isPacked = takesGzip(request.headers['accept-encoding'])
    const lines = await fastify.exports.open(ownerOf(request), name, () => fastify.isStillGood(request))
    withHeaders(reply)
    if (!isPacked) return reply.send(lines)
    // pipeline hands errors on, and destroys the other end; the callback only keeps them from being thrown.
    return reply.header('content-encoding', 'gzip').send(pipeline(lines, createGzip({ level: GZIP_LEVEL }), () => {}))
  })

  // The one that a GET would bring reads all of it for nothing.
  fastify.head('/export', (_, reply) => void withHeaders(reply).send())
}
