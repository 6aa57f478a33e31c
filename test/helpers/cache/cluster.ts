import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { EngineOptions, EntryAddress, Lookup, RaisedTag } from '../../../services/cache/index.js'
import { until } from '../deadline.js'
import type { RedisServer } from '../redis.js'
import { FakeClock } from './fake-clock.js'
import { HeldRedis } from './held-redis.js'
import { ModelJournal, type ModelJournalStore } from './model-journal.js'
import { ModelRedis } from './model-redis.js'
import { ModelRedisClient } from './model-redis-client.js'
import { GatedNetwork } from './network.js'
import { COMMAND_MS, type HeldLoader, openReplica, type Replica, tagOf, text } from './replica.js'

export interface Member<Client> extends Replica {
  readonly redis: Client
  readonly store: ModelJournalStore
}

/** Replicas of the real engine on one fake clock and one model journal. */
export interface Cluster<Client> {
  readonly clock: FakeClock
  readonly journal: ModelJournal
  /** Carries what the journal says: labels are `notification → replica 1`, `Postgres → replica 1: tail` and the like. */
  readonly network: GatedNetwork
  readonly members: readonly Member<Client>[]
  /** Opens one more, as a restart would. */
  add(): Promise<Member<Client>>
  /** Changes the row and commits its tag from another process: nobody raises it but those who hear of it. */
  commit(loader: HeldLoader, value: string, tags?: readonly string[]): Promise<RaisedTag[]>
}

interface Options {
  readonly replicas?: number
  readonly engine?: Partial<EngineOptions>
}

type Connect<Client> = (name: string, clock: FakeClock, network: GatedNetwork) => Promise<Client>

/** Replicas on a real Redis; names of this cluster are its own, so that a server can be shared between tests. */
export function startCluster(t: Test, server: RedisServer, options: Options = {}): Promise<Cluster<HeldRedis>> {
  return start(t, options, async () => {
    const client = new Redis(server.url, { enableOfflineQueue: false, lazyConnect: true, retryStrategy: () => 20 })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    await client.connect()
    const held = new HeldRedis(client)
    await held.prepare()
    return held
  })
}

/** Replicas on a model Redis, whose time is the fake clock's. */
export async function startModelCluster(
  t: Test,
  options: Options = {},
): Promise<Cluster<ModelRedisClient> & { readonly server: ModelRedis }> {
  let server: ModelRedis | undefined
  const cluster = await start(t, options, async (name, clock, network) => {
    server ??= new ModelRedis({ clock })
    return new ModelRedisClient({ server, clock, network, name, timeoutMs: COMMAND_MS, reconnectMs: 20 })
  })
  return { ...cluster, server: server ?? new ModelRedis({ clock: cluster.clock }) }
}

/** Replicas without Redis. */
export function startMemoryCluster(t: Test, options: Options = {}): Promise<Cluster<undefined>> {
  return start(t, options, async () => undefined)
}

async function start<Client extends HeldRedis | ModelRedisClient | undefined>(
  t: Test,
  { replicas = 1, engine = {} }: Options,
  connect: Connect<Client>,
): Promise<Cluster<Client>> {
  const clock = new FakeClock()
  const network = new GatedNetwork()
  const journal = new ModelJournal({ clock, id: randomUUID() })
  const writer = journal.store({ network: new GatedNetwork(), name: 'another process' })
  const members: Member<Client>[] = []
  const add = async (): Promise<Member<Client>> => {
    const name = `replica ${members.length + 1}`
    const redis = await connect(name, clock, network)
    const store = journal.store({ network, name })
    const replica = await openReplica({ clock, journal: store, ...(redis && { redis }), options: engine })
    t.teardown(() => replica.cache.close())
    const member = { ...replica, redis, store }
    members.push(member)
    if (redis !== undefined)
      await until(() => replica.cache.health().redis === 'healthy', { describe: `${name} uses Redis` })
    return member
  }
  for (let n = 0; n < replicas; n++) await add()
  return {
    clock,
    journal,
    network,
    members,
    add,
    async commit(loader, value, tags = [tagOf('a')]) {
      loader.row = text(value)
      return writer.raise(tags)
    },
  }
}

/** A write on this replica, as its service would make it: committed, then raised. Resolves when it is acknowledged. */
export async function write(
  { cache, store }: Pick<Member<unknown>, 'cache' | 'store'>,
  loader: HeldLoader,
  value: string,
  tags: readonly string[] = [tagOf('a')],
): Promise<void> {
  const transaction = await store.begin()
  const raised = await transaction.raise(tags)
  await store.ask('commit', () => transaction.commit(() => (loader.row = text(value))))
  await cache.raise(raised)
}

/** The document's text, the tier that answered, and the outcome, in one line. */
export function words(lookup: Lookup | undefined): string {
  if (lookup === undefined) return 'nothing'
  const value = lookup.document === undefined ? 'no row' : lookup.document.parse<string>()
  return `${value}: ${lookup.outcome}${lookup.tier === undefined ? '' : ` in ${lookup.tier}`}`
}

/** Whether each tier would serve the entry, in the words of `inspect`. */
export async function verdicts({ cache }: Replica, address: EntryAddress): Promise<{ memory: string; redis: string }> {
  const { memory, redis } = await cache.inspect(address)
  return { memory: memory.verdict, redis: redis.verdict }
}
