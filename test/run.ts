/** `npm test`: every test, or those that run without the servers this machine does not have. Installs nothing. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { missingServers } from './helpers/missing-servers.js'

const TESTS = import.meta.dirname
const ROOT = join(TESTS, '..')

const missing = missingServers()
const given = process.argv.slice(2)
const chosen = missing.length > 0 && given.length === 0 ? testsWithout(missing.map(({ helper }) => helper)) : given
const bin = join(createRequire(import.meta.url).resolve('tap/package.json'), '../dist/esm/run.mjs')
const { status } = spawnSync(process.execPath, [bin, ...chosen], { cwd: ROOT, stdio: 'inherit' })
if (missing.length > 0) {
  const names = missing.map((server) => server.package).join(', ')
  console.log(`# Not on this machine: ${names}. Tests that start it were left out; npm run test:setup installs it.`)
}
process.exit(status ?? 1)

function testsWithout(helpers: readonly string[]): string[] {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'))
  const starters = helpers.map((helper) => join(TESTS, 'helpers', helper))
  const left = files.filter((name) => !starters.some((starter) => imported(join(TESTS, name)).has(starter)))
  console.log(`# ${left.length} of ${files.length} test files run without: ${helpers.join(', ')}`)
  return left.map((name) => relative(ROOT, join(TESTS, name)))
}

/** The modules of this repository that a module needs, itself among them. */
function imported(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path) || !existsSync(path)) return found
  found.add(path)
  for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(/(?:from|import)\(? ?'(\.[^']+)\.js'/g)) {
    imported(join(path, '..', `${name}.ts`), found)
  }
  return found
}
