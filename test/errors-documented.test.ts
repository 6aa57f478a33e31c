import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as catalogue from '../services/errors.js'

const page = readFileSync(join(import.meta.dirname, '../docs/errors.md'), 'utf8')

/** Code and status of each row of the page's table. */
const documented = [...page.matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)].map(([, code, status]) => `${code} ${status}`)

/** Their messages want arguments; code and status come without. */
const known = Object.values(catalogue).map((CatalogueError) => {
  const { code, statusCode }: { code: string; statusCode?: number } = Reflect.construct(CatalogueError, [])
  return `${code} ${statusCode}`
})

t.test('every code is documented with its status, and every documented code exists', async (t) => {
  t.same(documented.toSorted(), known.toSorted())
})

t.test('no code stands for two errors', async (t) => {
  const codes = known.map((entry) => entry.split(' ')[0])
  t.equal(new Set(codes).size, codes.length)
})
