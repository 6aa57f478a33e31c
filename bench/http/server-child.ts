/** A server of the HTTP benchmark: the service, or a bare Fastify that the service is compared with. */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { fastify, type FastifyInstance } from 'fastify'
import { buildApp } from '../../app.js'
import { loadConfig } from '../../plugins/config.js'
import { designSchemas } from '../../services/designs/schema.js'
import type { ServerOrder, ServerReply } from './server-process.js'

const session = new Session()
let app: FastifyInstance | undefined
const queries: Record<string, number> = {}

process.on('message', (order: ServerOrder) => {
  answer(order).then(
    (result) => say({ result }),
    (error: unknown) => say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit(1))

function say(reply: ServerReply): void {
  process.send?.(reply)
}

async function answer(order: ServerOrder): Promise<unknown> {
  switch (order.kind) {
    case 'service':
      app = await buildApp(loadConfig(order.env), {
        onQuery: (name) => (queries[name] = (queries[name] ?? 0) + 1),
      })
      return listen(app)
    case 'bare':
      app = bare(order)
      return listen(app)
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    }
    case 'stats':
      return {
        cache: app?.cache.stats(),
        state: app?.cache.state,
        stateChanges: app?.cache.health().stateChanges,
        queries,
        rss: process.memoryUsage().rss,
      }
    case 'profile-start':
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: 200 })
      await session.post('Profiler.start')
      return undefined
    case 'profile-stop': {
      const { profile } = await session.post('Profiler.stop')
      session.disconnect()
      writeFileSync(order.file, JSON.stringify(profile))
      return undefined
    }
  }
}

async function listen(server: FastifyInstance): Promise<number> {
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  return Number(new URL(address).port)
}

/** No authentication, no cache, no log: a constant with the headers of ours, or an object through its schema. */
function bare({ body, headers }: Extract<ServerOrder, { kind: 'bare' }>): FastifyInstance {
  const server = fastify()
  const buffer = Buffer.from(body)
  const pairs = Object.entries(headers)
  server.get('/constant', (_request, reply) => {
    for (const [name, value] of pairs) reply.header(name, value)
    reply.send(buffer)
  })
  server.get('/text', (_request, reply) => {
    for (const [name, value] of pairs) reply.header(name, value)
    reply.send(body)
  })
  server.get('/constant-304', (_request, reply) => {
    for (const [name, value] of pairs) if (name !== 'content-type') reply.header(name, value)
    reply.code(304).send()
  })
  const parsed = JSON.parse(body)
  server.get('/object', { schema: { response: { 200: designSchemas.item } } }, (_request, reply) => {
    for (const [name, value] of pairs) reply.header(name, value)
    reply.send(parsed)
  })
  return server
}
