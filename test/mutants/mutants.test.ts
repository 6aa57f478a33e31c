import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MUTANTS } from './mutants.js'

const ROOT = join(import.meta.dirname, '../..')

t.test('every mutant fits the source as it is: npm run test:mutants would stop at one that does not', async (t) => {
  const places = MUTANTS.flatMap(({ name, edits }) => edits.map((edit) => ({ name, ...edit })))
  const unfit = places.filter(({ file, from }) => readFileSync(join(ROOT, file), 'utf8').split(from).length !== 2)
  t.same(
    unfit.map(({ name }) => name),
    [],
  )
})
