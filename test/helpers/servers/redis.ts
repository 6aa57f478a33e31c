import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { until } from '../deadline.js'
import { ServerProcess, freePort, temporaryDirectory } from './servers.js'

export const REDIS_MISSING = 'redis-server is missing: npm run test:setup installs it'

export interface RedisOptions {
  /** A port of the caller's choice; a free one by default. */
  readonly port?: number
  /** Further arguments of `redis-server`, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[]
}

export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
  /** As a crash would: connections break, nothing is saved. */
  kill(): Promise<void>
  /** Freezes it: connections stay open and nobody answers. */
  pause(): void
  resume(): void
  /** Starts it again on the same port, stopping it first if need be; `empty` loses all keys, else those of a running server are kept. */
  restart(options?: { readonly empty?: boolean }): Promise<void>
}

/** Starts a Redis server of this test's own on a free loopback port; it writes nothing to disk by itself. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  if (spawnSync('redis-server', ['--version']).error) throw new Error(REDIS_MISSING)
  const directory = temporaryDirectory()
  const port = options.port ?? (await freePort())
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    directory,
  ]

  const start = async (): Promise<ServerProcess> => {
    const server = new ServerProcess({
      command: 'redis-server',
      args: [...settings, ...(options.args ?? [])],
      directory,
      lastSignal: 'KILL',
    })
    const isUp = async (): Promise<boolean> => server.hasExited || (await ask(port, 'PING')) === '+PONG'
    await until(isUp, { timeoutMs: 20_000, describe: 'Redis answers' })
    if (server.hasExited) throw new Error(`Redis did not start:\n${server.log()}`)
    return server
  }

  let server = await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    stop: () => server.end('SIGTERM'),
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async restart({ empty = false } = {}) {
      if (!server.hasExited && !empty) await ask(port, 'SAVE')
      await server.end('SIGKILL')
      if (empty) rmSync(join(directory, 'dump.rdb'), { force: true })
      server = await start()
    },
  }
}

/** Sends one inline command on a connection of its own and returns the first line of the reply. */
async function ask(port: number, command: string): Promise<string> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(`${command}\r\n`)
    const [reply]: unknown[] = await once(socket, 'data')
    return String(reply).trim()
  } finally {
    socket.destroy()
  }
}
