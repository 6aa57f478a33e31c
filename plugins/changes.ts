import fp from 'fastify-plugin'
import { systemClock } from '../services/cache/index.js'
import { Cursors } from '../services/changes/cursors.js'
import { ChangesFeed } from '../services/changes/feed.js'
import { ChangesKeeper } from '../services/changes/keeper.js'
import { ChangeStreams } from '../services/changes/streams.js'
import { resources } from '../services/domains.js'
import { secretsOf } from '../services/secrets.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** `undefined` where CHANGES=off. */
    changes: { readonly feed: ChangesFeed; readonly keeper: ChangesKeeper } | undefined
    changeStreams: ChangeStreams
    /** Ends every stream, and soon each new one: the first thing that a replica does when it is told to go. */
    endStreams: () => void
  }
}

const DAY_MS = 86_400_000
/** How often a stream looks by itself: news come by themselves where the cache follows the journal. */
const POLL_MS = 5_000
const POLL_MS_WITHOUT_CACHE = 2_000

/** What changed since: the feed, its upkeep, and its streams. */
export default fp(
  async (fastify) => {
    const { config, db: database, cache, log } = fastify
    const { now, sleep } = systemClock
    const feed = new ChangesFeed({
      database,
      resources,
      cache,
      loadQueue: fastify.loadQueue,
      cursors: new Cursors(await secretsOf(database, config.tokenSecret)),
      // The embedded database has this one replica.
      staleMs: database.kind === 'postgres' && config.isCachingEnabled ? config.stalenessBoundMs : 0,
      now,
      sleep,
    })
    const streams = new ChangeStreams({
      feed,
      clock: systemClock,
      pollMs: config.isCachingEnabled ? POLL_MS : POLL_MS_WITHOUT_CACHE,
    })
    fastify.onTags((tags) => streams.wake(tags))
    fastify.decorate('changeStreams', streams)
    fastify.decorate('endStreams', () => streams.leave())
    fastify.addHook('preClose', async () => streams.close())
    if (!config.isChangesOn) return void fastify.decorate('changes', undefined)
    const keeper = new ChangesKeeper({
      database,
      feed,
      clock: systemClock,
      random: Math.random,
      hears: config.isCachingEnabled,
      keepMs: config.changesKeepDays * DAY_MS,
      onError: (error, during) => log.warn({ err: error }, `The feed of changes goes on, but this failed: ${during}`),
    })
    fastify.onTags(() => keeper.heard())
    keeper.start()
    fastify.addHook('onClose', () => keeper.stop())
    fastify.decorate('changes', { feed, keeper })
  },
  {
    name: 'changes',
    fastify: '5.x',
    dependencies: ['config', 'database', 'cache', 'services'],
    decorators: { fastify: ['config', 'db', 'cache', 'loadQueue', 'onTags'] },
  },
)
