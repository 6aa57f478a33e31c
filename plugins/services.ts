import { randomBytes } from 'node:crypto'
import buildSerializer from 'fast-json-stringify'
import fp from 'fastify-plugin'
import { v7 as newId } from 'uuid'
import type { Static, TSchema } from '@sinclair/typebox'
import type { Serialize } from '../services/catalogue/documents.js'
import { Design } from '../services/designs/schema.js'
import { DesignService } from '../services/designs/service.js'
import { Mockup } from '../services/mockups/schema.js'
import { MockupService } from '../services/mockups/service.js'
import { Template } from '../services/templates/schema.js'
import { TemplateService } from '../services/templates/service.js'
import { Token, User } from '../services/users/schema.js'
import { UserService } from '../services/users/service.js'
import { TokenService } from '../services/users/token-service.js'

declare module 'fastify' {
  interface FastifyInstance {
    users: UserService
    tokens: TokenService
    designs: DesignService
    templates: TemplateService
    mockups: MockupService
  }
}

/** The wiring page: every service on the one database and the one cache. */
export default fp(
  async (fastify) => {
    const foundation = { database: fastify.db, cache: fastify.cache, newId: () => newId() }
    fastify.decorate('users', new UserService(foundation, serializer(User)))
    fastify.decorate('tokens', new TokenService({ ...foundation, randomBytes }, serializer(Token)))
    fastify.decorate('designs', new DesignService(foundation, serializer(Design)))
    fastify.decorate('templates', new TemplateService(foundation, serializer(Template)))
    fastify.decorate('mockups', new MockupService(foundation, serializer(Mockup)))
  },
  { name: 'services', dependencies: ['database', 'cache'] },
)

function serializer<Schema extends TSchema>(schema: Schema): Serialize<Static<Schema>> {
  return buildSerializer(schema)
}
