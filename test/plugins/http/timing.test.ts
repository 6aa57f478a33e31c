import t from 'tap'
import { startService } from '../../helpers/app.js'

t.test('answers say how long they took', async (t) => {
  const { anonymous } = await startService(t)
  t.match((await anonymous.get('/api/cache/health')).headers['server-timing'], /^total;dur=\d+(\.\d+)?$/)
  t.match((await anonymous.get('/api/designs')).headers['server-timing'], /^total;dur=/, 'refusals too')
})

t.test('without PERFORMANCE_MONITORING they do not', async (t) => {
  const { anonymous, newUser } = await startService(t, { env: { PERFORMANCE_MONITORING: 'false' } })
  t.equal((await anonymous.get('/api/cache/health')).headers['server-timing'], undefined)
  const user = await newUser()
  await user.get('/api/designs')
  const { domains } = (await anonymous.get('/api/cache/stats')).body
  t.match(domains.design_lists, { loads: 1, load_ms_p50: 0, load_ms_p99: 0 })
})
