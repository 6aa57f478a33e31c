import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const directories = new Set<string>()
process.once('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A directory that is gone when this process ends. Its path is short: a Unix socket in it must fit into 107 bytes. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rh-'))
  directories.add(directory)
  return directory
}

/** Moves a finished directory to where others look for it, in one step; if somebody was faster, theirs stays. */
export function publishDirectory(built: string, target: string): void {
  try {
    renameSync(built, target)
  } catch (error) {
    if (!existsSync(target)) throw error
  }
}

/** Keeps owner and mode, which PostgreSQL checks; `cpSync` keeps neither. */
export function copyDirectory(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}

/**
 * A loopback port that nobody listens on at this moment, nor on the one 10,000 above, where a node of a Redis Cluster has its bus. It is
 * below those that the system gives to outgoing connections (Linux 32768, others 49152): while a server is down, one of them could take
 * its port, even a client's own that connects to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 22_000)
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

export interface ServerCommand {
  readonly command: string
  readonly args: readonly string[]
  /** The server's own: it holds the log, and goes away with this process. */
  readonly directory: string
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Ends the server at once and for good. */
  readonly lastSignal: 'QUIT' | 'KILL'
}

/** A server process that never outlives this one, even when this one is killed. */
export class ServerProcess {
  readonly pid: number
  readonly exited: Promise<void>
  readonly #watchdog: ChildProcess
  readonly #logPath: string
  #hasExited = false

  constructor({ command, args, directory, user, lastSignal }: ServerCommand) {
    const logPath = join(directory, 'log')
    const log = openSync(logPath, 'a')
    const server = spawn(command, args, { stdio: ['ignore', log, log], detached: true, ...user })
    closeSync(log)
    if (server.pid === undefined) throw new Error(`Can't start ${command}`)
    this.pid = server.pid
    this.#logPath = logPath
    // Its input ends when this process does, whatever ended it; a signal to the terminal's group does not reach it.
    const script = `cat; kill -${lastSignal} ${this.pid}; sleep 1; kill -KILL ${this.pid}; rm -rf '${directory}'`
    this.#watchdog = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.exited = once(server, 'exit').then(() => {
      this.#hasExited = true
      this.#watchdog.kill('SIGKILL')
    })
    server.unref()
    this.#watchdog.unref()
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  /** Sends `signal` unless the process has ended, when its id may belong to another. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#hasExited) process.kill(this.pid, signal)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal)
    // A stopped process hears nothing but SIGKILL before it continues.
    if (signal !== 'SIGKILL') this.signal('SIGCONT')
    const keepAlive = setInterval(() => {}, 1_000)
    await this.exited
    clearInterval(keepAlive)
  }

  /** What it has written so far, for the message of an error. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8')
  }
}
