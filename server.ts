import type { FastifyInstance } from 'fastify'
import type { Config } from './plugins/config.js'
import { endWith, guardStart } from './starting.js'

/** The time between SIGTERM and SIGKILL where the platform does not name one. */
const DEFAULT_DRAINING_SECONDS = 10

/** What the kill deadline leaves for the last log lines. */
const DEADLINE_MARGIN_MS = 1000

/** The edge goes on sending requests to a replica for about this long after its SIGTERM. */
const LONGEST_PRE_CLOSE_MS = 10_000

/** What the cache, Redis and the database are left with for their own close, once no connection is left. */
const LONGEST_CLOSE_MS = 2_000

/** A connection on which nothing has come for so long is not about to send a request. */
const LONGEST_QUIET_MS = 2_000

/** Before anything takes time: it may end while the service starts. */
const PARENT = process.ppid
const PARENT_WATCH_MS = 200

const stopGuarding = guardStart(0)
await start().catch(endWith)

/** Loads the rest only now that signals are heard: it takes most of a second. */
async function start(): Promise<void> {
  const { isRunByNpm, loadProcessConfig } = await import('./plugins/config.js')
  const config = await loadProcessConfig({ listens: true })
  const { buildApp } = await import('./app.js')
  const app = await buildApp(config)
  const isClosing = await closeOnSignals(app, config, isRunByNpm())
  stopGuarding()
  try {
    await listen(app, config)
  } catch (error) {
    // A signal may close the app before it listens: that ends the process, and not badly.
    if (isClosing()) return
    await app.close()
    throw error
  }
}

/** A machine without IPv6 has no `::`; all of its IPv4 addresses are what was meant. */
async function listen(app: FastifyInstance, { host, port }: Config): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (host !== '::' || !['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error))) throw error
    await app.listen({ host: '0.0.0.0', port })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/**
 * SIGTERM: go on serving for a while, then finish what is under way and close, all before the platform kills. An
 * uncaught error closes too, and ends with a code that makes the platform start the replica again.
 * @returns whether it is closing
 */
async function closeOnSignals(app: FastifyInstance, config: Config, isRunByNpm: boolean): Promise<() => boolean> {
  const { default: closeWithGrace } = await import('close-with-grace')
  const drainingMs = (config.drainingSeconds ?? DEFAULT_DRAINING_SECONDS) * 1000
  const delay = Math.max(drainingMs - DEADLINE_MARGIN_MS, DEADLINE_MARGIN_MS)
  const logger = { error: (reason: unknown) => app.log.error(reason) }
  let isClosing = false
  const { close } = closeWithGrace({ delay, logger, skip: ['SIGINT'] }, async ({ signal, err }) => {
    isClosing = true
    if (err) app.log.error({ err }, 'An error nobody caught: closing')
    else app.log.info(`${signal ?? 'SIGINT'}: closing`)
    const servedMs = signal === 'SIGTERM' ? preCloseMs(config) : 0
    const finishMs = delay - servedMs
    const cutOffMs = finishMs - Math.min(finishMs / 2, LONGEST_CLOSE_MS)
    if (signal === 'SIGTERM') app.drain(Math.min(cutOffMs / 2, LONGEST_QUIET_MS))
    app.endStreams()
    await new Promise((resolve) => setTimeout(resolve, servedMs))
    cutOffLater(app, cutOffMs)
    await app.close()
  })
  closeOnInterrupt(close)
  if (isRunByNpm) closeWithoutParent(() => isClosing)
  return () => isClosing
}

/** npm hands a Ctrl-C on to a process that the terminal has told already: only a later one means "at once". */
function closeOnInterrupt(close: () => void): void {
  const doubleMs = 500
  let firstAt: number | undefined
  process.on('SIGINT', () => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      close()
    } else if (performance.now() - firstAt > doubleMs) process.exit(130)
  })
}

/**
 * npm tells a SIGTERM to the shell that it runs scripts with, and that ends without handing it on: the server would go on, and keep its
 * port, with nobody left who knows of it. Where the signal was sent to all of them, the server has heard it by the next look, and is
 * closing already: a second one would end it at once.
 */
function closeWithoutParent(isClosing: () => boolean): void {
  let isOrphan = false
  const watch = setInterval(() => {
    if (isOrphan) {
      clearInterval(watch)
      if (!isClosing()) process.kill(process.pid, 'SIGTERM')
    }
    isOrphan = process.ppid !== PARENT
  }, PARENT_WATCH_MS).unref()
}

/** A third of the draining time, so that two thirds are left to finish; none where no edge is in front. */
function preCloseMs({ drainingSeconds }: Config): number {
  return drainingSeconds === undefined ? 0 : Math.min((drainingSeconds * 1000) / 3, LONGEST_PRE_CLOSE_MS)
}

/** Node's limits of time end with the listening: who still sends a body, or does not take an answer, would hold up the close. */
function cutOffLater(app: FastifyInstance, ms: number): void {
  setTimeout(() => app.server.closeAllConnections(), ms).unref()
}
