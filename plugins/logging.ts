import type { IncomingMessage } from 'node:http'
import { LogController, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from './config.js'

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
 * Settings of the server that concern its log: one line of JSON per event for machines (`level` as a word, `message`, the
 * ids Railway gives a replica), or readable lines when a person is at the terminal and pino-pretty is installed.
 */
export function loggerOptions(
  config: Config,
  isTerminal: boolean = process.stdout.isTTY,
): Pick<FastifyServerOptions, 'logger' | 'logController' | 'genReqId' | 'childLoggerFactory'> {
  const isPretty = isTerminal && !config.isProduction && isInstalled('pino-pretty')
  return {
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: requestIds(),
    // No logger of its own for each request: few requests write a line, and those name the request themselves.
    childLoggerFactory: (logger) => logger,
    logger: {
      level: config.isDebugLogging ? 'debug' : 'info',
      messageKey: 'message',
      base: replicaFields(config),
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[redacted]' },
      ...(isPretty && {
        transport: { target: 'pino-pretty', options: { messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l' } },
      }),
    },
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
    duration_ms: Math.round(reply.elapsedTime * 10) / 10,
    ...(statusCode >= 500 && { err: request.failure }),
  }
  request.log[levelOf(statusCode)](fields, `${request.method} ${request.url} ${statusCode}`)
}

function levelOf(statusCode: number): 'debug' | 'info' | 'warn' | 'error' {
  if (statusCode < 400) return 'debug'
  if (statusCode < 500) return 'info'
  return statusCode === 503 ? 'warn' : 'error'
}

/** The log lines of requests that go well, for DEBUG_LOGGING; plugins/errors.ts writes those of the others. */
export default fp(
  async (fastify) => {
    if (!fastify.config.isDebugLogging) return
    fastify.addHook('onResponse', (request, reply, done) => {
      if (reply.statusCode < 400) logRequest(request, reply)
      done()
    })
  },
  { name: 'logging', dependencies: ['config'] },
)
