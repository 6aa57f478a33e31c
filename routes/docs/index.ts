import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { takesGzip } from '../api/accept-encoding.js'
import { type Asset, assetOf, swaggerAsset } from './assets.js'
import { pageScope } from '../pages.js'
import { PAGE, START, STYLE } from './page.js'

const JAVASCRIPT = 'text/javascript; charset=utf-8'
const CSS = 'text/css; charset=utf-8'

const FILES: Readonly<Record<string, () => Promise<Asset>>> = {
  '/docs': () => assetOf(PAGE, 'text/html; charset=utf-8'),
  '/docs/start.js': () => assetOf(START, JAVASCRIPT),
  '/docs/page.css': () => assetOf(STYLE, CSS),
  '/docs/swagger-ui.css': () => swaggerAsset('swagger-ui.css', CSS),
  '/docs/swagger-ui-bundle.js': () => swaggerAsset('swagger-ui-bundle.js', JAVASCRIPT),
}

/** The API reference: a page for people and a document for machines, without a token. Each is made when it is first asked for. */
const routes: FastifyPluginAsync = async (fastify) => {
  await fastify.register(async (page) => {
    // Swagger UI makes HTML of texts.
    await pageScope(page, { hasTrustedTypes: false })
    for (const [url, make] of Object.entries(FILES)) {
      const asset = once(make)
      page.get(url, { schema: { hide: true } }, async (request, reply) => answerAsset(request, reply, await asset()))
    }
  })

  const document = once(async () => assetOf(await fastify.openapi(), 'application/json; charset=utf-8'))
  const schema = {
    summary: 'This document',
    operationId: 'getOpenApi',
    tags: ['reference'],
    produces: 'application/json',
    isConditional: true,
  }
  fastify.get('/openapi.json', { schema }, async (request, reply) => answerAsset(request, reply, await document()))
}

/** What is asked for at the same time is made once; what could not be made is made anew. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}

function answerAsset({ headers }: FastifyRequest, reply: FastifyReply, asset: Asset): FastifyReply {
  const isPacked = takesGzip(headers['accept-encoding'])
  const etag = isPacked ? asset.etag.replace(/"$/, '-gzip"') : asset.etag
  reply.headers({
    'cache-control': 'no-cache',
    'content-type': asset.type,
    vary: 'Accept-Encoding',
    etag,
  })
  if (knows(headers['if-none-match'], asset.etag)) return reply.code(304).send()
  return isPacked ? reply.header('content-encoding', 'gzip').send(asset.gzip) : reply.send(asset.body)
}

/** Weak comparison (RFC 9110, 13.1.2); either coding is the same content. */
function knows(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const names = header.split(',').map((name) =>
    name
      .trim()
      .replace(/^W\//, '')
      .replace(/-gzip"$/, '"'),
  )
  return names.includes(etag) || names.includes('*')
}

export default fp(routes, {
  name: 'docs-routes',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['openapi'],
  decorators: { fastify: ['openapi'] },
})
