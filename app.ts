import { fastify, type FastifyInstance } from 'fastify'
import type { DestinationStream, LevelWithSilent } from 'pino'
import auth from './plugins/auth.js'
import bodies from './plugins/http/bodies.js'
import cache from './plugins/cache.js'
import changes from './plugins/changes.js'
import clientAddress from './plugins/http/client-address.js'
import config, { type Config } from './plugins/config.js'
import connections, { answerParserError } from './plugins/http/connections.js'
import cors from './plugins/http/cors.js'
import database, { type DatabasePluginOptions } from './plugins/database.js'
import draining from './plugins/http/draining.js'
import errors, { answerError } from './plugins/http/errors.js'
import exports from './plugins/exports.js'
import { createLogger, loggingOptions } from './plugins/logging.js'
import figures from './plugins/figures.js'
import metrics from './plugins/metrics.js'
import minVersion from './plugins/min-version.js'
import notFound from './plugins/http/not-found.js'
import openapi from './plugins/openapi.js'
import overload from './plugins/overload.js'
import rateLimits from './plugins/rate-limits.js'
import redis from './plugins/redis.js'
import replicas from './plugins/replicas.js'
import services from './plugins/services.js'
import securityHeaders from './plugins/http/security-headers.js'
import slowClients, { requestLimits } from './plugins/http/slow-clients.js'
import timing from './plugins/http/timing.js'
import tracing from './plugins/tracing.js'
import urls, { routableUrl } from './plugins/http/urls.js'
import validation from './plugins/http/validation.js'
import welcome from './plugins/welcome.js'
import cacheRoutes from './routes/api/cache/index.js'
import liveRoutes from './routes/api/cache/live.js'
import changesRoutes from './routes/api/changes/index.js'
import docsRoutes from './routes/docs/index.js'
import resourceRoutes from './routes/api/resource-routes.js'
import dashboardRoutes from './routes/dashboard/index.js'
import metricsRoutes from './routes/metrics/index.js'
import userRoutes from './routes/api/users/index.js'

export interface AppOptions extends DatabasePluginOptions {
  /** Instead of the configured one, for who runs the app as a part of something else. */
  readonly logLevel?: LevelWithSilent
  /** Where its log goes instead of stdout. */
  readonly logDestination?: DestinationStream
}

/** The longest start of one plugin: the embedded database takes seconds to be made the first time. */
const PLUGIN_TIMEOUT_MS = 60_000

/** Longer than any path that Node reads: plugins/http/urls.ts refuses what is too long, behind the hooks that every answer needs. */
const LONGEST_FOR_ROUTER = 65_536

/** What one row may take: the JSON of a body is parsed and checked in one go, while everybody else waits. */
export const BODY_LIMIT_BYTES = 131_072

/**
 * The whole service, ready to listen or to be injected into. Production and the tests run this very instance.
 * @throws what a plugin throws, such as DatabaseUnavailableError
 */
export async function buildApp(settings: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const { logLevel: level, logDestination: destination } = options
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    pluginTimeout: PLUGIN_TIMEOUT_MS,
    frameworkErrors: answerError,
    rewriteUrl: routableUrl,
    ...requestLimits,
    clientErrorHandler: answerParserError,
    // plugins/http/urls.ts refuses a request without Host, in our shape.
    http: { ...requestLimits.http, requireHostHeader: false },
    // The database is open until the last connection has ended: what still comes is served, and its connection ends.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: LONGEST_FOR_ROUTER },
    ...loggingOptions(createLogger(settings, { level, ...(destination && { destination }) })),
  })
  await app.register(config, { config: settings })
  await app.register(openapi)
  await app.register(errors)
  await app.register(slowClients)
  await app.register(securityHeaders)
  await app.register(cors)
  await app.register(notFound)
  await app.register(draining)
  // Before `connections`: the body of what they refuse is not asked for.
  await app.register(urls)
  await app.register(bodies)
  await app.register(connections)
  await app.register(tracing)
  await app.register(timing)
  await app.register(validation)
  await app.register(overload)
  await app.register(database, { onQuery: options.onQuery })
  await app.register(redis)
  await app.register(cache)
  await app.register(replicas)
  await app.register(figures)
  await app.register(metrics)
  await app.register(services)
  await app.register(changes)
  await app.register(exports)
  await app.register(minVersion)
  await app.register(clientAddress)
  await app.register(rateLimits)
  await app.register(auth)
  await app.register(welcome)
  await app.register(docsRoutes)
  await app.register(metricsRoutes)
  await app.register(cacheRoutes, { prefix: '/api/cache' })
  await app.register(liveRoutes, { prefix: '/api/cache' })
  await app.register(dashboardRoutes)
  await app.register(userRoutes, { prefix: '/api/users' })
  await app.register(changesRoutes, { prefix: '/api/changes' })
  for (const [name, resource] of app.resources) await app.register(resourceRoutes, { prefix: `/api/${name}`, resource })
  await app.ready()
  return app
}
