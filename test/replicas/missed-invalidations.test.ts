import t from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }

t.test(
  'what is written behind switched-off triggers is found by the answers, logged, and heals on every replica',
  async (t) => {
    const postgres = await sharedPostgres(t)
    const lines: string[] = []
    const logDestination = { write: (line: string) => void lines.push(line) }
    const env = {
      DATABASE_URL: await postgres.serviceDatabase(),
      CACHE_VERIFY_SHARE: '1',
      CACHE_STALENESS_BOUND_MS: '1000',
    }
    const one = await startService(t, { env, logDestination, logLevel: 'error' })
    const two = await startService(t, { env, logDestination, logLevel: 'error' })
    const user = await one.newUser()
    const { body: row } = await user.post('/api/designs', DESIGN)
    const url = `/api/designs/${row.id}`
    const onTwo = (path: string) =>
      two.app.inject({ url: path, headers: { authorization: `Bearer ${user.token}` } }).then((answer) => answer.json())

    /** The functions behind the triggers do nothing meanwhile, in one transaction: the triggers themselves are watched. */
    const writeBehind = (text: string) =>
      one.app.db.transaction(async (transaction) => {
        const sql = <Row extends object>(statement: string) => transaction.query<Row>({ name: 'test', text: statement })
        const functions = await sql<{ name: string; definition: string }>(`
        select distinct p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as definition
        from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = 'designs'::regclass and t.tgname like 'cache%'`)
        for (const { name } of functions)
          await sql(`create or replace function ${name} returns trigger language plpgsql as 'begin return new; end'`)
        await sql(text)
        for (const { definition } of functions) await sql(definition)
      })
    const described = async () => [
      (await user.get(url)).body.description,
      (await onTwo(url)).description,
      (await user.get('/api/designs')).body.items[0].description,
      (await onTwo('/api/designs')).items[0].description,
    ]
    t.same(await described(), [null, null, null, null])

    await writeBehind(`update designs set description = 'behind'`)
    t.same(await described(), [null, null, null, null], 'nobody can know yet')
    await until(async () => (await described()).every((text) => text === 'behind'), {
      timeoutMs: 20_000,
      describe: 'every answer has healed',
    })
    const { body: stats } = await one.admin.get('/api/cache/stats')
    const { body: others } = await two.admin.get('/api/cache/stats')
    t.ok(stats.cache_stats.verified.missed + others.cache_stats.verified.missed >= 1)
    t.match(lines.join(''), /Missed invalidation/)
    t.match(lines.join(''), new RegExp(row.id), 'it is named')
  },
)
