import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { until } from '../deadline.js'
import { type RedisServer, startRedis } from './redis.js'

const run = promisify(execFile)

export interface RedisCluster {
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The port of the replica that follows the master on `port`. */
  replicaOf(port: number): Promise<number>
  stop(): Promise<void>
}

/** Three masters with a replica each, as small as a cluster gets, on free loopback ports. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--repl-diskless-sync-delay', '0']
  const nodes = await Promise.all(Array.from({ length: 6 }, () => startRedis({ args })))
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  try {
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'])
    await until(async () => (await Promise.all(nodes.map(isUp))).every(Boolean), {
      timeoutMs: 20_000,
      describe: 'every node knows the whole cluster, and every replica has its copy',
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: nodes[0]?.url ?? '',
    nodes,
    async replicaOf(port) {
      const { stdout } = await run('redis-cli', ['-p', String(port), 'info', 'replication'])
      return Number(/slave0:.*port=(\d+)/.exec(stdout)?.[1])
    },
    stop,
  }
}

async function isUp({ port }: RedisServer): Promise<boolean> {
  const cluster = (await run('redis-cli', ['-p', String(port), 'cluster', 'info'])).stdout
  const replication = (await run('redis-cli', ['-p', String(port), 'info', 'replication'])).stdout
  const isSynced = /role:master[\s\S]*connected_slaves:1|master_link_status:up/.test(replication)
  return cluster.includes('cluster_state:ok') && cluster.includes('cluster_known_nodes:6') && isSynced
}
