import t from 'tap'
import { startService, type UserCaller } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startRedisCluster } from '../../helpers/servers/redis-cluster.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }

t.test('two replicas on a Redis Cluster', async (t) => {
  const [postgres, cluster] = await Promise.all([sharedPostgres(t), startRedisCluster()])
  t.teardown(() => cluster.stop())
  const env = {
    DATABASE_URL: await postgres.serviceDatabase(),
    REDIS_URL: cluster.url,
    REDIS_CLUSTER: 'true',
    REDIS_COMMAND_TIMEOUT_MS: '2000',
  }
  const one = await startService(t, { env })
  const two = await startService(t, { env })
  const isCoherent = async (): Promise<boolean> =>
    one.app.cache.state === 'coherent' && two.app.cache.state === 'coherent'
  await until(isCoherent, { timeoutMs: 10_000, describe: 'both replicas use the cluster' })

  // So many that no master is left without an owner: the client connects to a node when it first needs it.
  const users = await Promise.all(Array.from({ length: 24 }, () => one.newUser()))
  const ids = await Promise.all(users.map(async (user) => (await user.post('/api/designs', DESIGN)).body.id as string))
  const each = async (work: (user: UserCaller, url: string) => Promise<void>): Promise<void> =>
    void (await Promise.all(users.map((user, n) => work(user, `/api/designs/${ids[n]}`))))
  const onTwo = (user: UserCaller, url: string) => two.anonymous.get(url, { authorization: `Bearer ${user.token}` })

  await t.test('owners of every slot share what was loaded, in one command each', async (t) => {
    await each(async (user, url) => {
      t.match((await user.get(url)).headers['cache-status'], 'fwd=miss; stored')
      t.match((await onTwo(user, url)).headers['cache-status'], 'detail=redis')
    })
    const first = users[0]
    const more = await Promise.all([1, 2, 3].map(async () => (await first?.post('/api/designs', DESIGN))?.body.id))
    t.equal((await first?.get(`/api/designs?ids=${more.join()}`))?.body.items.length, 3)
  })

  await t.test('what is raised for several owners at once is read anew by everybody', async (t) => {
    await one.app.cache.invalidate(users.map(({ id }) => `${id}/all`))
    t.equal(one.app.cache.state, 'coherent')
    await each(async (user, url) => {
      const isMiss = async () => (await onTwo(user, url)).headers['cache-status']?.includes('fwd=miss')
      await until(isMiss, { timeoutMs: 1_000, describe: 'the entry is gone from both tiers' })
    })
  })

  await t.test('a failover keeps the promise: what was raised before it is never answered old', async (t) => {
    await each(async (user, url) => void (await user.get(url)))
    await cluster.nodes[0]?.kill()
    await each(async (user, url) => {
      t.equal((await user.patch(url, { description: 'after the failover' })).status, 200)
      const show = async () => (await onTwo(user, url)).body.description === 'after the failover'
      await until(show, { timeoutMs: 1_000, describe: 'the write shows within the bound' })
    })
    await until(isCoherent, { timeoutMs: 20_000, describe: 'both replicas use the cluster again' })
    await each(async (user, url) => void t.equal((await onTwo(user, url)).body.description, 'after the failover'))
  })
})
