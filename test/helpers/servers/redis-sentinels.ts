import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../deadline.js'
import { type RedisServer, startRedis } from './redis.js'
import { freePort, ServerProcess, temporaryDirectory } from './servers.js'

const run = promisify(execFile)

export const SENTINEL_MASTER = 'main'

export interface RedisSentinels {
  /** The master of the beginning, and its replica. */
  readonly nodes: readonly [RedisServer, RedisServer]
  /** `host:port`, separated by commas. */
  readonly addresses: string
  /** Where the sentinels lead to, now. */
  masterPort(): Promise<number>
  stop(): Promise<void>
}

/** A master with one replica, and three sentinels that watch them and need a second to be sure. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const master = await startRedis()
  const args = ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0']
  const replica = await startRedis({ args })
  const sentinels = await Promise.all(Array.from({ length: 3 }, () => startSentinel(master.port)))
  const [first] = sentinels
  const ask = async (...words: string[]): Promise<string> =>
    (await run('redis-cli', ['-p', String(first?.port), 'sentinel', ...words])).stdout
  const knowAll = async (): Promise<boolean> => {
    const about = await ask('master', SENTINEL_MASTER)
    return /num-slaves\n1\n/.test(about) && /num-other-sentinels\n2\n/.test(about)
  }
  await until(knowAll, { timeoutMs: 60_000, describe: 'the sentinels know each other and the replica' })
  return {
    nodes: [master, replica],
    addresses: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(),
    async masterPort() {
      return Number((await ask('get-master-addr-by-name', SENTINEL_MASTER)).split('\n')[1])
    },
    async stop() {
      await Promise.all(sentinels.map(({ server }) => server.end('SIGKILL')))
      await Promise.all([master.stop(), replica.stop()])
    },
  }
}

async function startSentinel(masterPort: number): Promise<{ readonly port: number; readonly server: ServerProcess }> {
  const [directory, port] = [temporaryDirectory(), await freePort()]
  // It writes what it learns into its own configuration.
  const configuration = join(directory, 'sentinel.conf')
  writeFileSync(
    configuration,
    `port ${port}
bind 127.0.0.1
dir ${directory}
sentinel monitor ${SENTINEL_MASTER} 127.0.0.1 ${masterPort} 2
sentinel down-after-milliseconds ${SENTINEL_MASTER} 1000
sentinel failover-timeout ${SENTINEL_MASTER} 5000
`,
  )
  const args = [configuration, '--sentinel']
  const server = new ServerProcess({ command: 'redis-server', args, directory, lastSignal: 'KILL' })
  const isUp = async (): Promise<boolean> =>
    server.hasExited || (await run('redis-cli', ['-p', String(port), 'ping'])).stdout.startsWith('PONG')
  await until(isUp, { describe: 'a sentinel answers' })
  if (server.hasExited) throw new Error(`A sentinel did not start:\n${server.log()}`)
  return { port, server }
}
