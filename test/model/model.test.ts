import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { MUTANTS as ALL } from './mutants.js'
import { outOfDate } from './workshop.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** One of each file of the core; `npm run model -- --mutants` takes them all. */
const MUTANTS = [
  'covers without xip',
  'highest transaction of a tail only',
  'hints that came during a tail dropped',
  'no floor',
]

t.setTimeout(240_000)

function model(...args: readonly string[]): Promise<{ readonly stdout: string }> {
  return promisify(execFile)(process.execPath, [TYPESCRIPT, 'test/model/run.ts', ...args], { cwd: ROOT })
}

t.test('no answer is stale in any state of the small set-ups, nor on short walks through the others', async (t) => {
  t.match((await model('--short')).stdout, /No answer was stale/)
})

t.test('every mutation fits the source as it is', async (t) => {
  t.same(
    ALL.map(outOfDate).filter((why) => why !== undefined),
    [],
  )
})

for (const mutant of MUTANTS) {
  t.test(`a core that is broken is noticed: ${mutant}`, async (t) => {
    t.match((await model('--mutant', mutant, '--walks', '10000')).stdout, /1 mutants in .*; 0 survive/)
  })
}
