import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import type { Config } from '../../../plugins/config.js'
import { createClient } from '../../../plugins/redis.js'
import { fault, type Findings, ok, type Seen, warning } from './finding.js'
import { skewOf } from './server.js'

const COMMAND_MS = 2_000
const CONNECT_MS = 5_000
const RIGHTS = 'acl setuser <user> ~roundhouse:* +get +mget +set +del +ping (and see docs/operations.md)'
const POLICY = 'config set maxmemory 400mb, config set maxmemory-policy allkeys-lru, and the same in its configuration'

export async function lookAtRedis(findings: Findings, config: Config): Promise<void> {
  if (config.redis === undefined) return findings.add('redis', ok('none is configured: the memory tier works alone'))
  const client = createClient(config.redis, Math.max(COMMAND_MS, config.redisCommandTimeoutMs))
  let reason: string | undefined
  client.on('error', (error: Error) => (reason ??= reasonOf(error)))
  try {
    const isThere = await findings.look('redis', async () => {
      const startedAt = performance.now()
      try {
        await Promise.race([client.connect(), overdue()])
        await client.ping()
      } catch (error) {
        return unreachable(reason ?? reasonOf(error))
      }
      if (reason !== undefined) return unreachable(reason)
      return ok(`answers (${Math.round(performance.now() - startedAt)} ms with the connecting)`)
    })
    if (!isThere) return
    await findings.look('redis', () => commands(client))
    await findings.look('redis', () => server(client))
    await findings.look('clocks', () => clock(client))
  } finally {
    client.disconnect()
  }
}

/** With sentinels that do not answer, a client tries on without an end. */
async function overdue(): Promise<never> {
  await sleep(CONNECT_MS, undefined, { ref: false })
  throw new Error(`no connection in ${CONNECT_MS / 1_000} s`)
}

function unreachable(reason: string): Seen {
  const isRefused = /WRONGPASS|NOAUTH|invalid (?:username-)?password|AUTH/i.test(reason)
  const change = isRefused ? 'correct user and password in REDIS_URL' : 'start it, or correct REDIS_URL'
  return fault(`can not be used (${reason}): the memory tier works alone meanwhile`, change)
}

/** What the cache sends, each once, on a key of its own. */
async function commands(client: Redis | Cluster): Promise<Seen> {
  const key = `roundhouse:doctor:${randomBytes(6).toString('hex')}`
  const tried: Readonly<Record<string, () => Promise<unknown>>> = {
    set: () => client.set(key, 'a', 'PX', 10_000),
    get: () => client.get(key),
    mget: () => client.mget([key]),
    del: () => client.del(key),
  }
  const refused: string[] = []
  for (const [name, run] of Object.entries(tried)) {
    await run().catch((error: unknown) => refused.push(`${name} (${reasonOf(error)})`))
  }
  if (refused.length === 0) return ok('it takes all the commands of the cache')
  const words = refused.join(', ')
  return fault(`it refuses ${words}`, changeFor(words))
}

function changeFor(words: string): string {
  if (words.includes('NOPERM')) return RIGHTS
  if (words.includes('OOM')) return POLICY
  if (words.includes('READONLY')) return 'it is a replica: let REDIS_URL lead to the master'
  if (words.includes('MISCONF')) return 'it can not save to its disk, and need not: config set save ""'
  return 'see its log'
}

async function server(client: Redis | Cluster): Promise<readonly Seen[]> {
  const text = await info(client)
  if (text === undefined) return [ok('it does not tell of itself (INFO is refused), so its policy is not known')]
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? ''
  const policy = field('maxmemory_policy')
  const bytes = Number(field('maxmemory'))
  const used = Number(field('used_memory'))
  const memory = `${mebibytes(used)} of ${mebibytes(bytes)} MiB in use, ${policy}`
  const isReplica = field('role') === 'slave'
  return [
    ok(`Redis ${field('redis_version')}${isReplica ? ', a replica' : ''}`),
    ...(isReplica ? [fault('it is a replica', 'let REDIS_URL lead to the master')] : []),
    bytes === 0
      ? warning(`no maxmemory (${mebibytes(used)} MiB in use): it grows until it is killed`, POLICY)
      : policy === 'noeviction'
        ? warning(`${memory}: it refuses writes when it is full`, POLICY)
        : ok(memory),
  ]
}

async function info(client: Redis | Cluster): Promise<string | undefined> {
  try {
    return await client.info()
  } catch (error) {
    if (reasonOf(error).includes('NOPERM')) return undefined
    throw error
  }
}

async function clock(client: Redis | Cluster): Promise<readonly Seen[]> {
  const before = Date.now()
  const answer = await client.time().catch(() => undefined)
  if (answer === undefined) return []
  return [skewOf('Redis', Number(answer[0]) * 1_000 + Number(answer[1]) / 1_000, before, Date.now())]
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message !== '' ? error.message : 'code' in error ? String(error.code) : error.name
}
