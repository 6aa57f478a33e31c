import t from 'tap'
import Fastify from 'fastify'
import auth from '../../plugins/auth.js'
import cache from '../../plugins/cache.js'
import config, { loadConfig } from '../../plugins/config.js'
import database from '../../plugins/database.js'
import redis from '../../plugins/redis.js'
import services from '../../plugins/services.js'
import validation from '../../plugins/http/validation.js'
import { Document } from '../../services/documents/document.js'
import cacheRoutes from '../../routes/api/cache/index.js'
import resourceRoutes from '../../routes/api/resource-routes.js'
import { preparedPgliteDir } from '../helpers/pglite.js'

/** A busy machine may not get to a tail within a second. */
const CALM = { CACHE_STALENESS_BOUND_MS: '20000' }

const ADMIN_TOKEN = 'an-admin-token-of-the-tests-0123456789'

t.test('an app of somebody else takes the cache, and the routes that it wants, under its own prefixes', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(config, {
    config: loadConfig({ ...CALM, ADMIN_TOKENS: ADMIN_TOKEN, DATA_DIR: await preparedPgliteDir() }),
  })
  await app.register(validation)
  await app.register(database)
  await app.register(redis)
  await app.register(cache)
  app.get('/cached', async () => {
    const load = async (): Promise<Document> => new Document('{"own":true}', '"1"')
    const lookup = await app.cache.getOrLoad<Document>('own/entry', { tags: ['own'] }, load)
    return { outcome: lookup.outcome, value: lookup.value?.json }
  })
  await app.register(services)
  await app.register(auth)
  await app.register(resourceRoutes, { prefix: '/v2/pictures', resource: app.designs })
  await app.register(cacheRoutes, { prefix: '/ops' })
  await app.ready()

  t.match((await app.inject('/cached')).json(), { outcome: 'miss', value: '{"own":true}' })
  t.match((await app.inject('/cached')).json(), { outcome: 'hit' })
  await app.cache.invalidate(['own'])
  t.match((await app.inject('/cached')).json(), { outcome: 'miss' })

  t.equal((await app.inject('/ops/health')).statusCode, 200)
  t.equal((await app.inject('/v2/pictures')).statusCode, 401)
  const { id } = await app.users.create({ email: 'a@example.com', shop_name: 'A' })
  const { issued } = await app.tokens.create(id, { name: 'one' })
  const headers = { authorization: `Bearer ${issued.token}` }
  const payload = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
  const created = await app.inject({ method: 'POST', url: '/v2/pictures', headers, payload })
  t.match(created.headers.location, /^pictures\/[0-9a-f-]{36}$/)
  const read = await app.inject({ url: `/v2/${created.headers.location}`, headers })
  t.match(read.json(), { filename: 'fox.png', user_id: id })
  t.equal((await app.inject('/api/designs')).statusCode, 404, 'and nothing else is there')
})

t.test('routes say at the start what they miss', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const start = async (): Promise<void> => {
    await app.register(resourceRoutes, { prefix: '/designs', resource: app.designs })
    await app.ready()
  }
  await t.rejects(start, /'requireUser'.*'?resource-routes/)
})
