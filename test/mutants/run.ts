import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Mutant } from './mutant.js'
import { MUTANTS } from './mutants.js'
import { hasNoticed, inTurn, ROOT, type Workshop } from './workshop.js'

/**
 * Takes each guard of the protocol out of a copy of the source, one at a time, and demands that the tests named fail.
 * `--only <words>` takes the mutants whose name has these words.
 */
const { values: options } = parseArgs({ options: { only: { type: 'string' } } })
const EXPLORER = 'test/services/cache/schedules/run.ts'

/** Fragments that are not in their file exactly once: the list is out of date. */
function lostFragments(mutants: readonly Mutant[]): string[] {
  return mutants.flatMap(({ name, edits, noticedBy }) => [
    ...edits.flatMap(({ file, from }) => {
      const count = readFileSync(join(ROOT, file), 'utf8').split(from).length - 1
      return count === 1 ? [] : [`${name}: found ${count} times in ${file}: ${from}`]
    }),
    ...noticedBy.flatMap((test) => (existsSync(join(ROOT, testFile(test))) ? [] : [`${name}: no test ${test}`])),
  ])
}

function testFile(name: string): string {
  return `test/${name}.test.ts`
}

/** Those that should have noticed, and did not. */
async function silent(workshop: Workshop, mutant: Mutant): Promise<string[]> {
  const tests: string[] = []
  for (const test of mutant.noticedBy) if (!hasNoticed(await workshop.run(testFile(test)))) tests.push(test)
  if (mutant.schedules !== undefined && !(await isExplored(workshop, mutant.schedules))) tests.push(EXPLORER)
  return tests
}

async function isExplored(workshop: Workshop, schedules: number): Promise<boolean> {
  const { hasPassed, output } = await workshop.run(EXPLORER, '--schedules', String(schedules), '--seed', '1')
  return !hasPassed && output.includes('A promise was broken')
}

const mutants = MUTANTS.filter(({ name }) => name.includes(options.only ?? ''))
const faults = lostFragments(mutants)
if (faults.length === 0) {
  const startedAt = performance.now()
  await inTurn([...new Set(mutants.flatMap(({ noticedBy }) => noticedBy))], async (workshop, test) => {
    const { hasPassed, output } = await workshop.run(testFile(test))
    if (!hasPassed) faults.push(`${test} fails without a mutation:\n${output}`)
  })
  if (faults.length === 0) {
    await inTurn(mutants, async (workshop, mutant) => {
      const began = performance.now()
      await workshop.without(mutant.edits, async () => {
        const tests = await silent(workshop, mutant)
        const ms = `${Math.round(performance.now() - began)} ms`
        console.log(`${mutant.name.padEnd(90)} ${ms.padStart(9)}  ${tests.length === 0 ? 'noticed' : 'NOT NOTICED'}`)
        if (tests.length > 0) faults.push(`not noticed by ${tests.join(', ')} when this is taken out: ${mutant.name}`)
      })
    })
  }
  console.log(`${mutants.length} mutants in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
}
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
