import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')

interface Lock {
  readonly packages: Readonly<Record<string, { readonly engines?: { readonly node?: string } }>>
}

/** Of the ranges that packages write: `>=18`, `^20.19.0 || >=22`, `20 || >=22`, `*`. */
function takes(range: string, major: number): boolean {
  return range.split('||').some((part) => {
    const [, operator = '', least = '0'] = /^\s*(>=|>|\^|~)?\s*v?(\d+|\*)/.exec(part) ?? []
    return least === '*' || (operator.startsWith('>') ? Number(least) <= major : Number(least) === major)
  })
}

t.test('every package that is installed runs on the oldest Node that we do: npm ci warns of none', async (t) => {
  const { packages }: Lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const ranges = Object.entries(packages).map(([name, { engines }]) => [name, engines?.node ?? '*'] as const)
  t.ok(ranges.length > 300)
  t.same(
    ranges.filter(([, range]) => !takes(range, 20)),
    [],
    'put an older release of it into "overrides" of package.json',
  )
  t.equal(takes('>=22', 20) || takes('^18.0.0 || ^22.0.0', 20), false)
})
