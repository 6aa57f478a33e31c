import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as prettier from 'prettier'
import t from 'tap'
import { limitsPage } from '../../commands/limits/page.js'

t.test('the page of limits is what the schemas say now (npm run docs:limits)', async (t) => {
  const path = join(import.meta.dirname, '../../docs/limits.md')
  const options = { ...(await prettier.resolveConfig(path)), filepath: path }
  t.equal(readFileSync(path, 'utf8'), await prettier.format(limitsPage(), options))
})
