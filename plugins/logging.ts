import type { IncomingMessage } from 'node:http'
import {
  type FastifyBaseLogger,
  LogController,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import {
  type Bindings,
  type ChildLoggerOptions,
  type DestinationStream,
  type LevelWithSilent,
  type Logger,
  pino,
  type LoggerOptions,
} from 'pino'
import { systemClock } from '../services/cache/index.js'
import { RateBound } from '../services/rate-bound.js'
import type { Config } from './config.js'

/** Of the answers of one level. Railway drops what is beyond 500 lines a second, and a line of a refusal costs more than the refusal. */
const MOST_LINES_PER_SECOND = 50

/** Longer ids are not Railway's, and would only blow the lines up. */
const LONGEST_REQUEST_ID = 64

const LONGEST_PATH = 200
const MOST_KEYS = 10
const LONGEST_KEY = 20

/** Railway files a line of any other level as info. */
const KNOWN_LEVELS: Readonly<Record<string, string>> = { fatal: 'error', trace: 'debug' }

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
    formatters: { level: (label) => ({ level: KNOWN_LEVELS[label] ?? label }) },
    serializers: {
      err: pino.stdSerializers.err,
      // Somebody may log an object of another shape under this name.
      req: ({ method, url }: Partial<FastifyRequest>) => ({ method, url: url === undefined ? url : loggedUrl(url) }),
      res: ({ statusCode }: FastifyReply) => ({ statusCode }),
    },
    redact: { paths: SECRET_PATHS, censor: '[redacted]' },
    ...(isPretty && {
      transport: { target: 'pino-pretty', options: { messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l' } },
    }),
  }
}

/** What Fastify logs with: a child of `logger` for each request, with its id, and one line an answer at most. */
export function loggingOptions(logger: Logger): Pick<
  FastifyServerOptions,
  'logController' | 'genReqId' | 'childLoggerFactory'
> & {
  readonly loggerInstance: FastifyBaseLogger
} {
  return {
    loggerInstance: logger,
    logController: new OneLinePerAnswer(),
    genReqId: requestIds(),
    childLoggerFactory: (parent, bindings, options) => new RequestLogger(parent, bindings, options),
  }
}

/**
 * The logger of one request. Few requests write a line, and a child of pino's takes a tenth as long to make as a hit takes to
 * answer: it is made when the first line is written.
 */
class RequestLogger implements FastifyBaseLogger {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: Bindings
  readonly #options: ChildLoggerOptions
  #made: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: Bindings, options: ChildLoggerOptions) {
    this.#parent = parent
    this.#bindings = bindings
    this.#options = options
  }

  get #child(): FastifyBaseLogger {
    this.#made ??= this.#parent.child(this.#bindings, this.#options)
    return this.#made
  }

  get level(): string {
    return this.#made?.level ?? this.#options.level ?? this.#parent.level
  }

  set level(level: string) {
    this.#child.level = level
  }

  child(bindings: Bindings, options?: ChildLoggerOptions): FastifyBaseLogger {
    return this.#child.child(bindings, options)
  }

  silent(): void {}

  trace(...line: Line): void {
    this.#child.trace(...line)
  }

  debug(...line: Line): void {
    this.#child.debug(...line)
  }

  info(...line: Line): void {
    this.#child.info(...line)
  }

  warn(...line: Line): void {
    this.#child.warn(...line)
  }

  error(...line: Line): void {
    this.#child.error(...line)
  }

  fatal(...line: Line): void {
    this.#child.fatal(...line)
  }
}

type Line = [fields: unknown, message?: string, ...values: unknown[]]

/** What went well at debug, refusals at info, failures as warnings and errors. */
class OneLinePerAnswer extends LogController {
  constructor() {
    super({ requestIdLogLabel: 'request_id' })
  }

  override incomingRequest(): void {}

  /** Refusals and failures are logged as they are answered (plugins/http/errors.ts): their caller may be gone before the end. */
  override requestCompleted(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.statusCode < 400 && request.log.level === 'debug') logAnswer(request, reply, 'debug', {})
  }
}

type Level = 'debug' | 'info' | 'warn' | 'error'

/** The lines of answers, a bounded number of each level a second: refusals can't hide failures, and the next line says how many were left out. */
export class AnswerLog {
  readonly #levels = new Map<Level, { readonly bound: RateBound; leftOut: number }>()

  line(request: FastifyRequest, reply: FastifyReply): void {
    const level = levelOf(reply.statusCode)
    if (level === 'debug') return void (request.log.level === 'debug' && logAnswer(request, reply, level, {}))
    const lines = this.#levels.get(level) ?? {
      bound: new RateBound(MOST_LINES_PER_SECOND, systemClock.now),
      leftOut: 0,
    }
    this.#levels.set(level, lines)
    if (lines.bound.isReached) return void (lines.leftOut += 1)
    lines.bound.count()
    logAnswer(request, reply, level, lines.leftOut === 0 ? {} : { left_out: lines.leftOut })
    lines.leftOut = 0
  }
}

/** One line. */
function logAnswer(
  { log, method, originalUrl: wholeUrl, failure }: FastifyRequest,
  reply: FastifyReply,
  level: Level,
  more: object,
): void {
  const { statusCode: status } = reply
  const url = loggedUrl(wholeUrl)
  const duration = Math.round(reply.elapsedTime * 10) / 10
  const fields = { method, url, status, duration_ms: duration, ...(failure !== undefined && { err: failure }), ...more }
  log[level](fields, `${method} ${url} ${status}`)
}

/**
 * The path, and of a query the keys alone: somebody may have put a token or a customer's name into a value. At most about 400
 * characters, however long the URL is.
 */
export function loggedUrl(url: string): string {
  const [path = '', ...query] = url.split('?')
  const shown = path.slice(0, LONGEST_PATH)
  if (query.length === 0) return shown
  const keys = query.join('?').split('&', MOST_KEYS)
  return `${shown}?${keys.map((pair) => pair.split('=', 1).join().slice(0, LONGEST_KEY)).join('&')}`
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

function levelOf(statusCode: number): Level {
  // Whoever has no token could fill the log.
  if (statusCode < 400 || statusCode === 401 || statusCode === 429) return 'debug'
  // 501 is said of the request, whatever its number.
  if (statusCode < 500 || statusCode === 501) return 'info'
  return statusCode === 503 ? 'warn' : 'error'
}
