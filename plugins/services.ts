import { randomBytes } from 'node:crypto'
import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { domains, resources } from '../services/domains.js'
import type { ResourceService } from '../services/resource/service.js'
import { LoadQueue } from '../services/resource/lists/load-queue.js'
import { secretsOf } from '../services/secrets.js'
import { Credentials } from '../services/users/credentials.js'
import { TokenService } from '../services/users/token-service.js'
import { TokenTexts } from '../services/users/token-text.js'
import { UserService } from '../services/users/service.js'
import { VersionTokens } from '../services/version-token.js'

type Domain = (typeof domains)[number]

/** The decorators of services/domains.ts: `fastify.designs` is the DesignService. */
type ResourceServices = { [Each in Domain as Each['definition']['name']]: InstanceType<Each> }

declare module 'fastify' {
  interface FastifyInstance extends ResourceServices {
    users: UserService
    tokens: TokenService
    /** Who asks, by the text of a token. */
    credentials: Credentials
    /** The service of each resource by its name, in the order of services/domains.ts. */
    resources: ReadonlyMap<string, ResourceService>
    versionTokens: VersionTokens
    /** In which loads of many rows wait. */
    loadQueue: LoadQueue
  }
}

/** The wiring page: every service on the one database and the one cache. */
export default fp(
  async (fastify) => {
    const { db: database, cache, config } = fastify
    // A token that was made before TOKEN_SECRET was set stays good.
    const secrets = await secretsOf(database, config.tokenSecret)
    const versionTokens = new VersionTokens(secrets[0])
    fastify.decorate('versionTokens', versionTokens)
    const versionOf = (transaction: number): string => versionTokens.seal(cache.version(transaction))
    const loadQueue = new LoadQueue({ longestWaitMs: config.databaseQueueMs })
    fastify.decorate('loadQueue', loadQueue)
    const bulkQueue = new LoadQueue({ mostAtOnce: 1 })
    const dependencies = { database, cache, versionOf, resources, loadQueue, bulkQueue }
    fastify.decorate('users', new UserService(dependencies))
    const ofTokens = { randomBytes, tokenTexts: new TokenTexts(secrets), wallMs: systemClock.wallMs }
    fastify.decorate('tokens', new TokenService({ ...dependencies, ...ofTokens }))
    const { users, tokens } = fastify
    fastify.decorate('credentials', new Credentials({ cache, database, users, tokens }))
    const services = new Map<string, ResourceService>()
    for (const Service of domains) {
      const service = new Service(dependencies)
      const name: string = Service.definition.name
      services.set(name, service)
      fastify.decorate<unknown, string>(name, service)
    }
    fastify.decorate('resources', services)
  },
  {
    name: 'services',
    fastify: '5.x',
    dependencies: ['config', 'database', 'cache'],
    decorators: { fastify: ['config', 'db', 'cache'] },
  },
)
