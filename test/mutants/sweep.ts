/**
 * `npm run test:sweep -- [folder …] --most 200 --seed 1 --limit 30 --tests 20`: changes an operator, a condition, a literal or a statement at random places of the
 * folders, one at a time, and runs the tests that reach the file (the nearest of them) until one fails. Those that none notices are listed: docs/mutants.md judges
 * them. Unlike the list of mutants.ts, which names what must be noticed and by whom, this finds what nobody has thought of.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { modulesOf } from '../helpers/modules.js'
import { Seeded } from '../helpers/seeded.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'
import { type Mutation, mutationsOf } from './sweep-mutations.js'
import { inTurn, ROOT, type Workshop } from './workshop.js'

const FOLDERS = ['services/cache', 'services/documents', 'services/resource']
/** Explorers and rounds of minutes: who waits for them waits for hours. */
const TOO_LONG = [
  'test/services/cache/schedules/schedules.test.ts',
  'test/services/cache/races/forgotten-raise.test.ts',
]
/** Of paths: they say nothing. */
const COMMON_WORDS = ['', 'test', 'services', 'routes', 'api', 'commands', 'resource', 'sql', 'ts']
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    most: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    limit: { type: 'string', default: '30' },
    tests: { type: 'string', default: 'all' },
  },
})
const [most, seed] = [Number(values.most), Number(values.seed)]
/** A test that takes longer hangs, and has noticed something: on a busy machine the limit must be higher. */
const limitMs = Number(values.limit) * 1_000
const mostTests = values.tests === 'all' ? Infinity : Number(values.tests)
if (!Number.isInteger(most) || !Number.isInteger(seed) || !(limitMs > 0) || !(mostTests > 0)) {
  console.error(
    'Usage: npm run test:sweep -- [folder …] [--most <integer>] [--seed <integer>] [--limit <seconds>] [--tests <integer>]',
  )
  process.exit(2)
}

interface Swept extends Mutation {
  readonly file: string
}

const folders = positionals.length === 0 ? FOLDERS : positionals
const files = folders.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)
const all: Swept[] = files.flatMap((file) => mutationsOf(file, text(file)).map((mutation) => ({ file, ...mutation })))
const random = new Seeded(seed)
const chosen = shuffled(all).slice(0, most)
/** How often each test has noticed something: those that do come first. */
const noticed = new Map<string, number>()
const sound = new Set<string>()
const unsound = new Set<string>()
const closures = new Map(testFiles().map((test) => [test, modulesOf(join(ROOT, test))]))

console.log(`seed ${seed}: ${chosen.length} of ${all.length} mutations of ${files.length} files`)
const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
process.env['TEST_DATABASE_URL'] = postgres.url
process.env['TEST_REDIS_URL'] = redis.url
const startedAt = performance.now()
const survivors: string[] = []
await inTurn(chosen, sweep, limitMs)
await Promise.all([postgres.stop(), redis.stop()])
const minutes = Math.round((performance.now() - startedAt) / 60_000)
console.log(
  `\n${chosen.length - survivors.length} of ${chosen.length} noticed in ${minutes} min, seed ${seed}. Not noticed:`,
)
for (const survivor of survivors.sort()) console.log(survivor)

async function sweep(workshop: Workshop, { file, line, what, source }: Swept): Promise<void> {
  const began = performance.now()
  const edits = [{ file, from: text(file), to: source }]
  const tests = testsOf(file)
  const firstFailing = async (): Promise<string | undefined> => {
    for (const test of tests.filter((name) => !unsound.has(name)))
      if (!(await workshop.run(test)).hasPassed) return test
    return undefined
  }
  let by = await workshop.without(edits, firstFailing)
  while (by !== undefined && !(await isSound(workshop, by))) by = await workshop.without(edits, firstFailing)
  if (by === undefined) survivors.push(`${file}:${line}  ${what}`)
  else noticed.set(by, (noticed.get(by) ?? 0) + 1)
  const seconds = `${Math.round((performance.now() - began) / 1_000)} s`
  const found = by ?? `${tests.length} tests`
  console.log(
    `${by === undefined ? 'SURVIVED' : 'noticed '} ${seconds.padStart(5)}  ${file}:${line}  ${what}  ${found}`,
  )
}

/** Whether it passes where nothing was changed: one that does not has noticed nothing. Looked at once. */
async function isSound(workshop: Workshop, test: string): Promise<boolean> {
  if (sound.has(test)) return true
  if ((await workshop.run(test)).hasPassed) sound.add(test)
  else if (!unsound.has(test)) {
    unsound.add(test)
    console.log(`left out: ${test} fails without a mutation`)
  }
  return sound.has(test)
}

function text(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item)
}

function testFiles(): string[] {
  return ['test/services', 'test/routes', 'test/commands'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => join(folder, name)),
  )
}

/** The tests that reach the file: its own first, then those of a like name, then those that notice much, then those that need little else. */
function testsOf(file: string): string[] {
  const own = file.replace(/^services/, 'test/services').replace(/\.ts$/, '.test.ts')
  const room = file.startsWith('services/cache/') ? 'test/services/cache/' : 'test/'
  const words = wordsOf(file)
  const likeness = (test: string): number => [...wordsOf(test)].filter((word) => words.has(word)).length
  const rank = (test: string): number =>
    test === own ? -Infinity : (closures.get(test)?.size ?? 0) - 50 * (noticed.get(test) ?? 0) - 1_000 * likeness(test)
  return [...closures]
    .filter(([test, modules]) => modules.has(join(ROOT, file)) && test.startsWith(room) && !TOO_LONG.includes(test))
    .map(([test]) => test)
    .sort((one, other) => rank(one) - rank(other))
    .slice(0, mostTests)
}

/** `importer` and `imports` are `import`. */
function wordsOf(path: string): ReadonlySet<string> {
  const words = path
    .toLowerCase()
    .replace(/\.ts$|\.test\.ts$/g, '')
    .split(/[^a-z]+/)
  return new Set(words.filter((word) => !COMMON_WORDS.includes(word)).map((word) => word.replace(/(e?s|er|ed)$/, '')))
}
