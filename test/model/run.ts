import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Fault } from './faults.js'
import { hunt, type Limits } from './hunt.js'
import { beyondLimits } from './limits.js'
import { type Mutant, MUTANTS } from './mutants.js'
import { search } from './search.js'
import { SEARCHED, WALKED } from './setups.js'
import { pathText, shortened, walk } from './walks.js'
import { huntMutant, outOfDate, sideBySide } from './workshop.js'
import { planOf } from './world.js'

/**
 * `npm run model`: looks for a stale answer in a state machine around the real core of services/cache.
 *   --short                          what `npm test` does, too
 *   --walks N --depth D --seed S     of each set-up
 *   --mutant NAME, --mutants         breaks one rule, or each in turn, and demands that it is noticed
 */
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    walks: { type: 'string' },
    depth: { type: 'string', default: '80' },
    seed: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    // Between processes: the hunt for one mutant, with its answer as JSON.
    hunt: { type: 'boolean', default: false },
    fault: { type: 'string' },
  },
})
const isHunt = values.hunt || values.mutants || values.mutant !== undefined
const limits: Limits = {
  walks: Number(values.walks ?? (isHunt ? 50_000 : values.short ? 500 : 50_000)),
  depth: Number(values.depth),
  seed: Number(values.seed ?? (isHunt || values.short ? 1 : Date.now() % 1_000_000)),
}
if (!Object.values(limits).every((number) => Number.isInteger(number) && number > 0)) {
  console.error('Usage: npm run model -- [--short] [--walks N] [--depth D] [--seed S] [--mutant NAME | --mutants]')
  process.exit(2)
}
const MOST_STATES = 5_000_000
const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1)
const row = (...cells: readonly (string | number)[]): void => {
  const widths = [38, 10, 10, 8, 14]
  console.log(
    cells
      .map((cell, n) => (n === 0 ? String(cell).padEnd(widths[0] ?? 0) : String(cell).padStart(widths[n] ?? 0)))
      .join(' '),
  )
}

function heading(): void {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown processor'
  console.log(
    `seed ${limits.seed}, depth ${limits.depth}; ${availableParallelism()} × ${cpu}, Node ${process.version}\n`,
  )
}

/** Whether everything holds. */
function check(): boolean {
  heading()
  const began = performance.now()
  let isHolding = true
  const fail = (why: string, path: string): void => {
    isHolding = false
    console.log(`  ${why}\n  ${path}`)
  }
  row('every state of', 'states', 'steps', 'seconds', 'result')
  for (const setup of SEARCHED.filter(({ isShort }) => isShort || !values.short)) {
    const startedAt = performance.now()
    const { states, steps, isComplete, broken } = search(planOf(setup, { isSearch: true }), { most: MOST_STATES })
    row(setup.name, states, steps, seconds(startedAt), broken ? 'STALE' : isComplete ? 'holds' : 'NOT ALL')
    if (broken !== undefined || !isComplete) fail(broken?.why ?? 'too many states', broken ? pathText(broken) : '')
  }
  row('\nrandom walks in', 'walks', 'steps', 'seconds', 'result')
  for (const setup of WALKED) {
    const startedAt = performance.now()
    const plan = planOf(setup, { isSearch: false })
    const { walks, steps, broken } = walk(plan, limits)
    row(setup.name, walks, steps, seconds(startedAt), broken ? 'STALE' : 'holds')
    if (broken !== undefined) fail(broken.why, pathText(shortened(plan, broken)))
  }
  const why = beyondLimits(limits.seed)
  row('more snapshots and hints than are kept', 1, '', '', why === undefined ? 'holds' : 'STALE')
  if (why !== undefined) fail(why, '')
  console.log(`\n${isHolding ? 'No answer was stale' : 'AN ANSWER WAS STALE'}; ${seconds(began)} s`)
  return isHolding
}

/** Whether each of them is noticed. */
async function huntAll(mutants: readonly Mutant[]): Promise<boolean> {
  heading()
  const began = performance.now()
  const faults = mutants.map(outOfDate).filter((fault) => fault !== undefined)
  if (mutants.length === 0)
    faults.push(`no mutant of this name; there are:\n${MUTANTS.map(({ name }) => name).join('\n')}`)
  for (const fault of faults) console.error(fault)
  if (faults.length > 0) return false
  const survivors: string[] = []
  await sideBySide(mutants, availableParallelism(), async (mutant) => {
    const startedAt = performance.now()
    const found = await huntMutant(mutant, limits)
    const by = found === undefined ? 'NOBODY' : `${found.setup}, ${found.walks} walks`
    console.log(`${mutant.name}  [${mutant.edit?.file ?? mutant.livesIn}]\n  killed by ${by}; ${seconds(startedAt)} s`)
    if (found !== undefined) console.log(`  ${found.why}\n  ${found.steps} steps: ${found.path}`)
    if (found === undefined) survivors.push(mutant.name)
  })
  console.log(
    `\n${mutants.length} mutants in ${seconds(began)} s; ${survivors.length} survive: ${survivors.join(', ') || 'none'}`,
  )
  return survivors.length === 0
}

if (values.hunt) console.log(JSON.stringify({ found: hunt(limits, values.fault as Fault | undefined) ?? null }))
else {
  const chosen = MUTANTS.filter(({ name }) => values.mutants || name === values.mutant)
  const isGood = values.mutants || values.mutant !== undefined ? await huntAll(chosen) : check()
  process.exitCode = isGood ? 0 : 1
}
