import { parseArgs } from 'node:util'
import { explore } from './explore.js'
import { minimise } from './minimise.js'

/**
 * Explores schedules: `npm run test:schedules -- --schedules 20000 --seed 1`, and with `--path` as well one that broke
 * a promise is run again. `--limit-seconds` stops early. Exits with 1 when a promise was broken.
 */
const { values } = parseArgs({
  options: {
    schedules: { type: 'string' },
    seed: { type: 'string' },
    path: { type: 'string' },
    'limit-seconds': { type: 'string' },
  },
})
const schedules = Number(values.schedules ?? 20_000)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const PROGRESS_EVERY_MS = 10_000

console.log(`Exploring ${schedules} schedules of three replicas with seed ${seed}`)
const startedAt = performance.now()
let toldAt = startedAt
const perSecond = (count: number): number => Math.round((1_000 * count) / (performance.now() - startedAt))

const {
  path,
  broken,
  schedules: count,
} = await explore({
  schedules,
  seed,
  ...(values.path !== undefined && { path: values.path }),
  ...(values['limit-seconds'] !== undefined && { limitMs: 1_000 * Number(values['limit-seconds']) }),
  onSchedule(count) {
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) return
    toldAt = performance.now()
    console.log(`${count} schedules, ${perSecond(count)} a second`)
  },
})

if (broken === undefined) {
  console.log(`${count} schedules kept every promise: ${perSecond(count)} a second, seed ${seed}`)
} else {
  const shorter = await minimise(broken.steps)
  const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))
  console.log(message(shorter ?? broken.error))
  console.log(
    `\nA promise was broken, found after ${count} schedules. To run it again: npm run test:schedules -- --seed ${seed} --path ${path}`,
  )
  process.exitCode = 1
}
