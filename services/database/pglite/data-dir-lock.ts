import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { connect, createServer, type ListenOptions, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CanNotStartError, codeOf } from '../errors.js'

/** How often two that start at the same moment give way to each other. */
const ATTEMPTS = 5
const LONGEST_PAUSE_MS = 100

/** Of the path of a socket: 107 on Linux, 103 on macOS. A longer one would be cut short in silence. */
const LONGEST_SOCKET_PATH_BYTES = 103

/** `lock.<process id>.<random>`: never the name of an earlier lock, so that a dead one can be removed by anybody. */
const LOCK_NAME = /^lock\.(\d+)\.[0-9a-f]{12}$/

/** What listening says on a file system that has no sockets, such as a folder that a virtual machine shares. */
const NO_SOCKETS = ['EOPNOTSUPP', 'ENOTSUP', 'EPERM', 'EINVAL']

/**
 * Keeps a second process out of `dataDir`: PGlite has no such guard, and two of them destroy each other's files.
 *
 * The lock is a socket in the folder on which its process listens. The kernel closes it when the process ends, whatever ended it;
 * the file that is left is removed by the next start. Whoever wants the folder listens first and looks for others after, so that of
 * two at the same moment at least one sees the other and gives way. It holds for all who share a kernel, such as two containers
 * with one volume, but not for two machines that share a folder over the network.
 * @returns the function that drops the lock
 * @throws CanNotStartError naming the process that holds it, and what to do
 */
export async function lockDataDir(dataDir: string): Promise<() => void> {
  if (process.platform === 'win32')
    return lockByName(`\\\\.\\pipe\\roundhouse-${digest(realpathSync(dataDir))}`, dataDir)
  for (let attempt = 1; ; attempt++) {
    const own = await listenIn(dataDir).catch((error: unknown) => {
      if (process.platform === 'linux' && NO_SOCKETS.includes(codeOf(error))) return undefined
      throw error
    })
    if (own === undefined) return lockByName(`\0roundhouse-${digest(identityOf(dataDir))}`, dataDir)
    const others = await otherLocks(dataDir, own.name)
    if (others === undefined) return own.drop
    own.drop()
    if (attempt === ATTEMPTS) throw new CanNotStartError(heldMessage(dataDir, others))
    await sleep(randomInt(LONGEST_PAUSE_MS))
  }
}

/** A lock that the kernel knows by its name alone: a pipe of Windows, or a socket of Linux in no folder. */
export async function lockByName(name: string, dataDir: string): Promise<() => void> {
  try {
    const server = await listening({ path: name })
    return () => server.close()
  } catch (error) {
    throw codeOf(error) === 'EADDRINUSE' ? new CanNotStartError(heldMessage(dataDir, [])) : error
  }
}

interface Lock {
  readonly name: string
  readonly drop: () => void
}

async function listenIn(dataDir: string): Promise<Lock> {
  const name = `lock.${process.pid}.${randomBytes(6).toString('hex')}`
  const folder = socketFolder(dataDir, name.length)
  const server = await listening({ path: join(folder.path, name), writableAll: true }).catch((error: unknown) => {
    folder.close()
    throw error
  })
  const drop = (): void => {
    rmSync(join(dataDir, name), { force: true })
    server.close(folder.close)
  }
  return { name, drop }
}

/** `dataDir` by a path that is short enough for a socket in it. */
function socketFolder(dataDir: string, nameLength: number): { readonly path: string; readonly close: () => void } {
  if (Buffer.byteLength(dataDir) + 1 + nameLength <= LONGEST_SOCKET_PATH_BYTES) return { path: dataDir, close() {} }
  if (process.platform !== 'linux')
    throw new CanNotStartError('DATA_DIR is too long a path: choose one of 70 characters at most')
  const descriptor = openSync(dataDir, 'r')
  return { path: `/proc/self/fd/${descriptor}`, close: () => closeSync(descriptor) }
}

/** The process ids of other locks; `undefined` when there is none, and our own is there for others to see. */
async function otherLocks(dataDir: string, own: string): Promise<readonly string[] | undefined> {
  const names = readdirSync(dataDir).filter((name) => LOCK_NAME.test(name))
  const folder = socketFolder(dataDir, own.length)
  const held: string[] = []
  for (const name of names.filter((other) => other !== own)) {
    if (await isListenedOn(join(folder.path, name))) held.push(LOCK_NAME.exec(name)?.[1] ?? '')
    else removeIfAllowed(join(dataDir, name))
  }
  folder.close()
  return held.length === 0 && names.includes(own) ? undefined : held
}

/** A dead lock of another user may be there to stay: it does no harm. */
function removeIfAllowed(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(codeOf(error))) throw error
  }
}

/** Only a socket that nobody listens on refuses; a holder that is busy, or stopped, does not. */
async function isListenedOn(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !['ECONNREFUSED', 'ENOENT'].includes(codeOf(error))
  } finally {
    socket.destroy()
  }
}

/** It does not keep the process running, and says nothing to who connects. */
async function listening(options: ListenOptions): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(options)
  await once(server, 'listening')
  return server.unref()
}

function heldMessage(dataDir: string, pids: readonly string[]): string {
  const holder = pids.length === 0 ? 'Another process' : `Process ${pids.join(' and ')}`
  return (
    `${holder} has the embedded database in ${dataDir} open, and a second one would corrupt it. ` +
    'Stop that process (its number counts in its own container), choose another DATA_DIR, or set DATABASE_URL to share a PostgreSQL server.'
  )
}

function identityOf(dataDir: string): string {
  const { dev, ino } = statSync(dataDir)
  return `${dev}:${ino}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}
