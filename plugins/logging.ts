import type { IncomingMessage } from 'node:http'
import { LogController, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import { type DestinationStream, type LevelWithSilent, type Logger, pino, type LoggerOptions } from 'pino'
import type { Config } from './config.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Monotonic ms; 0 before the first hook. */
    startedAt: number
  }
}

/** Never logged: the platform asks for it again and again while a deployment starts, dashboards ever after. */
const HEALTH_ROUTE = '/api/cache/health'

/** Longer ids are not Railway's, and would only blow the lines up. */
const LONGEST_REQUEST_ID = 64

/** Wherever somebody logs a request or an error that carries one. */
const SECRET_PATHS = ['headers', 'req.headers', 'request.headers', 'err.headers'].flatMap((path) => [
  `${path}.authorization`,
  `${path}.cookie`,
])

/**
 * One line of JSON per event for machines (`level` as a word, `message`, the ids Railway gives a replica), or readable
 * lines when a person is at the terminal and pino-pretty is installed. `level` replaces the configured one.
 */
export function createLogger(
  config: Config,
  options: { readonly level?: LevelWithSilent | undefined; readonly destination?: DestinationStream } = {},
): Logger {
  const { level, destination } = options
  const settings = loggerSettings(config, destination === undefined && process.stdout.isTTY)
  return pino({ ...settings, ...(level !== undefined && { level }) }, destination)
}

/** @param isTerminal is a person reading? */
export function loggerSettings(config: Config, isTerminal: boolean): LoggerOptions {
  const isPretty = isTerminal && !config.isProduction && isInstalled('pino-pretty')
  return {
    level: config.isDebugLogging ? 'debug' : 'info',
    messageKey: 'message',
    base: replicaFields(config),
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      err: pino.stdSerializers.err,
      req: ({ method, url }: FastifyRequest) => ({ method, url }),
      res: ({ statusCode }: FastifyReply) => ({ statusCode }),
    },
    redact: { paths: SECRET_PATHS, censor: '[redacted]' },
    ...(isPretty && {
      transport: { target: 'pino-pretty', options: { messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l' } },
    }),
  }
}

/**
 * Makes requests log with `logger`, which becomes the app's own in the plugin below. It is not given to Fastify as its
 * `logger`: then Fastify would listen for the end of each answer, log line or not, and a hit would take a tenth longer.
 */
export function loggingOptions(
  logger: Logger,
): Pick<FastifyServerOptions, 'logController' | 'genReqId' | 'childLoggerFactory'> {
  return {
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: requestIds(),
    // No logger of its own for each request: few requests write a line, and those name the request themselves.
    childLoggerFactory: () => logger,
  }
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

function replicaFields(config: Config): Record<string, string> {
  const fields = {
    replica_id: config.replicaId,
    replica_region: config.replicaRegion,
    deployment_id: config.deploymentId,
  }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}

/** Railway's id of the request joins our lines with those of its proxy; else a number, unique in this process. */
function requestIds(): (request: IncomingMessage) => string {
  let count = 0
  return (request) => {
    const given = request.headers['x-railway-request-id']
    if (typeof given === 'string' && given !== '' && given.length <= LONGEST_REQUEST_ID) return given
    count += 1
    return count.toString(36)
  }
}

/** One line per request at most: what went well at debug, refusals at info, failures as warnings and errors. */
export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode } = reply
  if (request.routeOptions.url === HEALTH_ROUTE) return
  const fields = {
    request_id: request.id,
    method: request.method,
    url: request.url,
    status: statusCode,
    duration_ms: Math.round(elapsedMs(request) * 10) / 10,
    ...(statusCode >= 500 && { err: request.failure }),
  }
  request.log[levelOf(statusCode)](fields, `${request.method} ${request.url} ${statusCode}`)
}

function levelOf(statusCode: number): 'debug' | 'info' | 'warn' | 'error' {
  if (statusCode < 400) return 'debug'
  if (statusCode < 500) return 'info'
  return statusCode === 503 ? 'warn' : 'error'
}

/** Since the request's hooks began, in ms; 0 for what did not get as far as a route. */
export function elapsedMs({ startedAt }: FastifyRequest): number {
  return startedAt === 0 ? 0 : performance.now() - startedAt
}

/** `fastify.log`, and the log lines of requests that go well for DEBUG_LOGGING; plugins/errors.ts writes those of the others. */
export default fp<{ logger: Logger }>(
  async (fastify, { logger }) => {
    fastify.log = logger
    fastify.decorateRequest('startedAt', 0)
    fastify.addHook('onRequest', (request, _reply, done) => {
      request.startedAt = performance.now()
      done()
    })
    if (!fastify.config.isDebugLogging) return
    fastify.addHook('onResponse', (request, reply, done) => {
      if (reply.statusCode < 400) logRequest(request, reply)
      done()
    })
  },
  { name: 'logging', dependencies: ['config'] },
)
