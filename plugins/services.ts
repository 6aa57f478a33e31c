import { randomBytes } from 'node:crypto'
import buildSerializer from 'fast-json-stringify'
import fp from 'fastify-plugin'
import { v7 as newId } from 'uuid'
import type { Static, TSchema } from '@sinclair/typebox'
import type { Serialize } from '../services/catalogue/documents.js'
import type { Database } from '../services/database/index.js'
import { Design } from '../services/designs/schema.js'
import { DesignService } from '../services/designs/service.js'
import { Mockup } from '../services/mockups/schema.js'
import { MockupService } from '../services/mockups/service.js'
import { Template } from '../services/templates/schema.js'
import { TemplateService } from '../services/templates/service.js'
import { Token, User } from '../services/users/schema.js'
import { UserService } from '../services/users/service.js'
import { VersionTokens } from '../services/version-token.js'
import { TokenService } from '../services/users/token-service.js'

declare module 'fastify' {
  interface FastifyInstance {
    users: UserService
    tokens: TokenService
    designs: DesignService
    templates: TemplateService
    mockups: MockupService
    versionTokens: VersionTokens
  }
}

/** The wiring page: every service on the one database and the one cache. */
export default fp(
  async (fastify) => {
    const { db: database, cache, config } = fastify
    const versionTokens = new VersionTokens(config.tokenSecret ?? (await storedSecret(database)))
    fastify.decorate('versionTokens', versionTokens)
    const versionOf = (transaction: number): string => versionTokens.seal(cache.version(transaction))
    const foundation = { database, cache, newId: () => newId(), versionOf }
    fastify.decorate('users', new UserService(foundation, serializer(User)))
    fastify.decorate('tokens', new TokenService({ ...foundation, randomBytes }, serializer(Token)))
    fastify.decorate('designs', new DesignService(foundation, serializer(Design)))
    fastify.decorate('templates', new TemplateService(foundation, serializer(Template)))
    fastify.decorate('mockups', new MockupService(foundation, serializer(Mockup)))
  },
  { name: 'services', dependencies: ['config', 'database', 'cache'] },
)

/** Made once, by a migration; restores and clones of the database carry it along. */
async function storedSecret(database: Database): Promise<string> {
  const text = `select secret from service_secrets where name = 'tokens'`
  const [row] = await database.query<{ secret: string }>({ name: 'service_secrets.find', text })
  if (row === undefined) throw new Error(`service_secrets has no row 'tokens': set TOKEN_SECRET, or put the row back`)
  return row.secret
}

function serializer<Schema extends TSchema>(schema: Schema): Serialize<Static<Schema>> {
  return buildSerializer(schema)
}
