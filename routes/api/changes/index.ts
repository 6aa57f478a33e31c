import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ChangesAnswer, ChangesQuery } from '../../../services/changes/schema.js'
import { ChangesOffError, ServiceUnavailableError } from '../../../services/errors.js'
import { weightOf } from '../accept.js'
import { beLast, EVENT_STREAM } from '../event-stream.js'
import { guardScope } from '../guard-scope.js'
import { ownerOf } from '../resource.js'

const DEFAULT_LIMIT = 100
const NOW = 'now'

/** What changed of the caller's rows since a cursor: a page, or a stream of events. */
const routes: FastifyPluginAsyncTypebox = async (fastify) => {
  const { changes, changeStreams } = fastify
  fastify.addHook('onRequest', (request, reply, done) => {
    if (wantsEvents(request)) beLast(reply)
    done()
  })
  guardScope(fastify, fastify.requireUser)

  fastify.get(
    '/',
    {
      schema: {
        summary: 'Read what changed since a cursor, or follow it as server-sent events',
        operationId: 'listChanges',
        errors: ['INVALID_CURSOR', 'CURSOR_EXPIRED', 'CHANGES_OFF', 'TOO_MANY_READS', 'TOO_MANY_STREAMS'],
        streams: true,
        querystring: ChangesQuery,
        response: { 200: ChangesAnswer },
      },
    },
    async (request, reply) => {
      if (changes === undefined) throw new ChangesOffError()
      // What is read here is not what memory had, so nothing of it can be marked as stale.
      if (request.user?.isStale === true) throw new ServiceUnavailableError()
      const userId = ownerOf(request)
      reply.header('cache-control', 'no-store').header('vary', 'Authorization, Accept')
      const { since = NOW, limit = DEFAULT_LIMIT } = request.query
      if (wantsEvents(request)) return stream(request, reply, { userId, since: lastEventId(request) ?? since })
      if (since === NOW) return answer(reply, [], await changes.feed.start(userId), false)
      const page = await changes.feed.page(userId, since, limit)
      return answer(reply, page.changes, page.nextCursor, page.isMore)
    },
  )

  /** A cursor that is of no use is refused before there is a stream: afterwards nobody reads a status. */
  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    { userId, since }: { readonly userId: string; readonly since: string },
  ): Promise<FastifyReply> {
    if (changes === undefined) throw new ChangesOffError()
    if (since !== NOW) await changes.feed.page(userId, since, 1)
    const cursor = since === NOW ? await changes.feed.start(userId) : since
    const opened = changeStreams.open(userId, cursor, () => fastify.isStillGood(request))
    const events = Readable.from(opened.events())
    // The stream has to end first: what is destroyed waits for it.
    const end = (): void => {
      opened.end()
      events.destroy()
    }
    reply.raw.once('close', end)
    // The reader may have gone while it was looked whether there is a stream for them.
    if (reply.raw.destroyed) end()
    // Nothing on the way may wait for more, or pack it.
    return reply
      .header('content-type', EVENT_STREAM)
      .header('cache-control', 'no-store, no-transform')
      .header('x-accel-buffering', 'no')
      .send(events)
  }
}

function answer(
  reply: FastifyReply,
  changes: readonly { readonly json: string }[],
  cursor: string,
  isMore: boolean,
): FastifyReply {
  const items = changes.map(({ json }) => json).join(',')
  const body = `{"changes":[${items}],"next_cursor":${JSON.stringify(cursor)},"more":${isMore}}`
  return reply.header('content-type', 'application/json; charset=utf-8').send(body)
}

/** A browser's EventSource asks for nothing else; who would take anything, or would rather have a page, gets a page. */
function wantsEvents({ method, headers: { accept } }: FastifyRequest): boolean {
  const weight = weightOf(accept, EVENT_STREAM)
  return method === 'GET' && weight > 0 && weight >= weightOf(accept, 'application/json')
}

/** Where a stream goes on that was cut off: it is newer than what the URL says. */
function lastEventId({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id']
  return typeof id === 'string' && id !== '' ? id : undefined
}

export default fp(routes, {
  name: 'changes-routes',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['validation', 'changes'],
  decorators: { fastify: ['changes', 'changeStreams', 'requireUser', 'isStillGood'] },
})
