import t from 'tap'
import { explore } from './explore.js'
import { minimise } from './minimise.js'

/** A few thousand in every run of the tests; `npm run test:schedules` takes 100,000. */
const SCHEDULES = 3_000

t.test('every promise is kept under explored schedules of reads, writes and faults', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const { broken, path } = await explore({ schedules: SCHEDULES, seed })
  t.comment(`seed ${seed}`)
  if (broken === undefined) {
    t.pass(`${SCHEDULES} schedules`)
    return
  }
  const error = (await minimise(broken.steps)) ?? broken.error
  t.fail(`npm run test:schedules -- --seed ${seed} --path ${path}`, {
    found: error instanceof Error ? error.message : error,
  })
})
