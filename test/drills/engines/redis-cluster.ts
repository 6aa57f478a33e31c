import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { startRedisCluster } from '../../helpers/servers/redis-cluster.js'
import type { RedisServer } from '../../helpers/servers/redis.js'
import type { Engine } from '../drill.js'
import type { Servers } from '../stage.js'
import type { Fault } from '../faults.js'
import { roundsOf } from './rounds.js'

const run = promisify(execFile)
const SLOTS = 2_000
const CHANGE_MS = 30_000

interface Node {
  readonly id: string
  readonly port: number
  readonly isMaster: boolean
  readonly isUp: boolean
  readonly slots: number
}

/** Three masters with a replica each: one is killed and its replica takes over, and slots move between masters under load. */
export function redisCluster(): Engine {
  let nodes: readonly RedisServer[] = []
  const start = async (): Promise<Servers> => {
    const [postgres, cluster] = await Promise.all([startPostgres(), startRedisCluster()])
    nodes = cluster.nodes
    const [redis] = nodes
    if (redis === undefined) throw new Error('A cluster has nodes')
    return {
      postgres,
      redis,
      databaseUrl: await postgres.createDatabase(),
      env: () => ({ REDIS_URL: cluster.url, REDIS_CLUSTER: 'true' }),
      stop: async () => void (await Promise.all([cluster.stop(), postgres.stop()])),
    }
  }
  const faults: Record<string, Fault> = {
    'a master of the cluster killed (-9), its replica takes over': async ({ random }) => {
      const before = mastersOf(await seenBy(nodes))
      const victim = random.pick(before)
      const node = nodes.find(({ port }) => port === victim.port)
      if (node === undefined) throw new Error('A node of somebody else')
      await node.kill()
      const others = nodes.filter(({ port }) => port !== victim.port)
      const successor = async (): Promise<Node | undefined> => {
        const now = mastersOf(await seenBy(others))
        return now.length === 3 ? now.find(({ id }) => before.every((one) => one.id !== id)) : undefined
      }
      const { port } = await until(successor, { timeoutMs: CHANGE_MS, describe: 'another node is master' })
      await sleep(1_000)
      await node.restart()
      const isBack = async (): Promise<boolean> => (await seenBy(nodes)).every(({ isUp }) => isUp)
      await until(isBack, { timeoutMs: CHANGE_MS, describe: 'the node is back, as a replica' })
      return `${victim.port} → ${port}`
    },

    'slots moved to another master': async ({ random }) => {
      const [from, to] = random.shuffled(mastersOf(await seenBy(nodes)))
      if (from === undefined || to === undefined) throw new Error('There are no two masters')
      const way = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', String(SLOTS), '--cluster-yes']
      await run('redis-cli', ['--cluster', 'reshard', `127.0.0.1:${from.port}`, ...way])
      const now = (await seenBy(nodes)).find(({ id }) => id === to.id)
      if (now?.slots !== to.slots + SLOTS) throw new Error(`${to.port} has ${now?.slots} slots`)
      return `${SLOTS} slots, ${from.port} → ${to.port}`
    },
  }
  return { start, faults, rounds: roundsOf(faults, 2) }
}

/** The cluster as the first of these sees it that answers. */
async function seenBy(nodes: readonly RedisServer[]): Promise<Node[]> {
  const answers = nodes.map(({ port }) => run('redis-cli', ['-p', String(port), 'cluster', 'nodes']))
  const { stdout } = await Promise.any(answers)
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', address = '', flags = '', , , , , link = '', ...ranges] = line.split(' ')
      const slots = ranges.filter((range) => !range.startsWith('[')).map((range) => range.split('-').map(Number))
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        isMaster: flags.includes('master') && !flags.includes('fail'),
        isUp: link === 'connected' && !flags.includes('fail'),
        slots: slots.reduce((sum, [low = 0, high = low]) => sum + high - low + 1, 0),
      }
    })
}

function mastersOf(nodes: readonly Node[]): Node[] {
  return nodes.filter(({ isMaster, slots }) => isMaster && slots > 0)
}
