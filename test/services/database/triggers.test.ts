import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { installTriggers, removeTriggers } from '../../../services/database/index.js'
import { openDatabase } from '../../../services/database/index.js'
import { startService } from '../../helpers/app.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/postgres.js'

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const run = promisify(execFile)

t.test('changes made with psql', async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const url = await postgres.createDatabase()
  const service = await startService(t, { env: { DATABASE_URL: url } })
  const owner = await openDatabase({ url, dataDir: 'unused' })
  t.teardown(() => owner.close())
  const psql = async (sql: string): Promise<string> =>
    (await run('psql', [url, '--no-psqlrc', '-v', 'ON_ERROR_STOP=1', '-qAtc', sql])).stdout

  const user = await service.newUser()
  const { body: template } = await user.post('/api/templates', {
    name: 'mug',
    title: 'Mug',
    platform: 'etsy',
    product_type: 'mug',
  })
  const { body: design } = await user.post('/api/designs', { ...DESIGN, template_ids: [template.id] })
  const { body: mockup } = await user.post('/api/mockups', { name: 'front', template_id: template.id })
  const isHit = async (path: string): Promise<boolean> =>
    (await user.get(path)).headers['cache-status']?.includes('; hit;') === true
  const warm = async (...paths: string[]): Promise<void> => {
    for (const path of paths) await until(() => isHit(path), { describe: `${path} is a hit` })
  }
  const becomesMiss = (path: string): Promise<void> =>
    until(async () => !(await isHit(path)), { timeoutMs: 1_000, describe: `${path} is a miss`, intervalMs: 1 }).then(
      () => undefined,
    )
  const [item, list] = [`/api/designs/${design.id}`, '/api/designs']

  await t.test('show once they are announced with cache_touch', async (t) => {
    await warm(item)
    const change = `update designs set description = 'by hand', version = version + 1 where id = '${design.id}'`
    await psql(`begin; ${change}; select * from cache_touch(array['${user.id}/designs/${design.id}']); commit`)
    await until(async () => (await user.get(item)).body.description === 'by hand', { describe: 'the change shows' })
    t.pass('shown')
  })

  await t.test('with the triggers, show by themselves, with the lists and what is made from the row', async (t) => {
    await installTriggers(owner)
    await installTriggers(owner)
    await warm(item, list)
    await psql(`update designs set description = 'unannounced', version = version + 1 where id = '${design.id}'`)
    await Promise.all([becomesMiss(item), becomesMiss(list)])
    t.equal((await user.get(item)).body.description, 'unannounced')
    await warm(item, `/api/mockups/${mockup.id}`, '/api/templates')
    await psql(`update templates set title = 'Cup', version = version + 1 where id = '${template.id}'`)
    await Promise.all([becomesMiss(item), becomesMiss(`/api/mockups/${mockup.id}`), becomesMiss('/api/templates')])
  })

  await t.test('with the triggers, a statement of many rows raises its owners instead', async (t) => {
    await psql(`insert into designs (id, user_id, filename, file_path, platform)
      select gen_random_uuid(), '${user.id}', 'f' || n, '/f', 'etsy' from generate_series(1, 1500) as n`)
    await warm(item)
    const before = await psql('select count(*) from cache_journal')
    await psql(`update designs set is_active = false, version = version + 1 where user_id = '${user.id}'`)
    await becomesMiss(item)
    t.equal(Number(await psql('select count(*) from cache_journal')) - Number(before) <= 1, true)
  })

  await t.test('with the triggers, a token deleted by hand is refused, and so is a deactivated user', async (t) => {
    const other = await service.newUser()
    t.equal((await other.get('/api/designs')).status, 200)
    await psql(`update users set is_active = false where id = '${other.id}'`)
    await until(async () => (await other.get('/api/designs')).status === 401, { timeoutMs: 1_000, describe: 'refused' })
    await psql(`delete from tokens where user_id = '${user.id}'`)
    await until(async () => (await user.get('/api/designs')).status === 401, { timeoutMs: 1_000, describe: 'refused' })
  })

  await t.test('the triggers can be taken out again', async (t) => {
    await removeTriggers(owner)
    await removeTriggers(owner)
    t.equal(await psql(`select count(*) from pg_trigger where tgname like 'catalogue_%'`), '0\n')
  })
})
