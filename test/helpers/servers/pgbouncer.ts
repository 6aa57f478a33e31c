import { spawnSync } from 'node:child_process'
import { chownSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { until } from '../deadline.js'
import { unprivilegedUser } from './postgres.js'
import { ServerProcess, freePort, temporaryDirectory } from './servers.js'

export const PGBOUNCER_MISSING = 'PgBouncer is missing: npm run test:setup installs it'

export interface Pgbouncer {
  /** The URL of a database behind the pooler, from its own. */
  urlOf(databaseUrl: string): string
  /** From now on it leads to the server on this port. */
  lead(port: number): void
  /** As a crash would, and starts it again. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Debian keeps it where only root's PATH looks. */
export function pgbouncerCommand(): string {
  const found = ['pgbouncer', '/usr/sbin/pgbouncer'].find((command) => !spawnSync(command, ['--version']).error)
  if (found === undefined) throw new Error(PGBOUNCER_MISSING)
  return found
}

/** A transaction pooler with two server connections in front of the PostgreSQL on `port`: no session outlives a transaction. */
export async function startPgbouncer(port: number, { connections = 2 } = {}): Promise<Pgbouncer> {
  const directory = temporaryDirectory()
  const user = unprivilegedUser()
  const listenPort = await freePort()
  const configuration = join(directory, 'pgbouncer.ini')
  // `any` connects everybody as the user of the [databases] line; the cluster of the tests trusts that one.
  const configure = (to: number): void =>
    writeFileSync(
      configuration,
      `[databases]
* = host=127.0.0.1 port=${to} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
server_login_retry = 1
`,
    )
  configure(port)
  if (user) for (const path of [directory, configuration]) chownSync(path, user.uid, user.gid)
  const start = async (): Promise<ServerProcess> => {
    const server = new ServerProcess({
      command: pgbouncerCommand(),
      args: [configuration],
      directory,
      user,
      lastSignal: 'KILL',
    })
    await until(() => server.hasExited || answers(listenPort), { describe: 'PgBouncer listens' })
    if (server.hasExited) throw new Error(`PgBouncer did not start:\n${server.log()}`)
    return server
  }
  let server = await start()
  return {
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl)
      url.port = `${listenPort}`
      return url.href
    },
    lead(to) {
      configure(to)
      server.signal('SIGHUP')
    },
    async restart() {
      await server.end('SIGKILL')
      server = await start()
    },
    stop: () => server.end('SIGINT'),
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
