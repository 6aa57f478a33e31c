import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import t, { type Test } from 'tap'
import { parseImportArguments } from '../../commands/import/arguments.js'
import { startService, type TestService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { preparedPgliteDir } from '../helpers/pglite.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const PROGRAM = fileURLToPath(new URL('../../commands/import.ts', import.meta.url))
const NOBODY = '01890a5d-ac96-774b-bcce-b302099a8057'

const postgres = await sharedPostgres(t)

interface Outcome {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** `npm run import` as a real process. */
function startImport(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const { PATH } = process.env
  return spawn(process.execPath, [TYPESCRIPT, PROGRAM, ...args], { env: { PATH, ...env } })
}

async function ended(child: ChildProcess): Promise<Outcome> {
  let [output, errors] = ['', '']
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  child.stderr?.on('data', (chunk) => (errors += String(chunk)))
  const [code]: unknown[] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, output, errors }
}

function runImport(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  return ended(startImport(args, env))
}

/** The summary's numbers: lines read, created, already equal, refused. */
function countsIn({ output }: Outcome): number[] {
  return ['lines read', 'created', 'already equal', 'refused'].map((name) =>
    Number(new RegExp(`^${name} +([\\d,]+)$`, 'm').exec(output)?.[1]?.replaceAll(',', '')),
  )
}

function fileOf(lines: readonly (object | string)[], name = 'rows.ndjson'): string {
  const path = join(temporaryDirectory(), name)
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}

const design = (filename: string, more: object = {}): object => ({
  filename,
  file_path: `/${filename}`,
  platform: 'etsy',
  ...more,
})
const template = (name: string): object => ({
  name,
  title: `${name} {design_name}`,
  platform: 'shopify',
  product_type: 'mug',
})
const designs = (count: number): object[] => Array.from({ length: count }, (_, n) => design(`${n}.png`))

async function onPostgres(
  t: Test,
  more: Readonly<Record<string, string>> = {},
): Promise<TestService & { url: string }> {
  const url = await postgres.serviceDatabase()
  return { ...(await startService(t, { env: { DATABASE_URL: url, ...more } })), url }
}

async function rowsIn(url: string, table = 'designs', column = 'filename'): Promise<{ rows: number; keys: number }> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query(
    `select count(*)::int as rows, count(distinct ${column})::int as keys from ${table}`,
  )
  await client.end()
  return rows[0]
}

t.test(
  'good lines are imported, bad ones are reported with number and reason, and the exit code says so',
  async (t) => {
    const { url, newUser } = await onPostgres(t)
    const [owner, stranger] = [await newUser(), await newUser()]
    const own = (await owner.post('/api/templates', template('own'))).body.id
    const foreign = (await stranger.post('/api/templates', template('foreign'))).body.id
    const file = fileOf([
      template('mug'),
      design('a.png', { tags: ['x', 'y'], template_ids: [own.toUpperCase()], description: null }),
      '{"filename": "broken',
      design('b.png', { platform: 5, tags: 'x', is_active: 1 }),
      design('c.png', { colour: 'red' }),
      '',
      design('d.png', { template_ids: [own, foreign] }),
      design('a.png'),
      { title: 'neither' },
      design('d.png'),
      `{"filename":"${'x'.repeat(5_300_000)}"}`,
      template('own'),
      '{"filename":"e.png","file_path":"/e","platform":"etsy","metadata":{"listing":1729382256910270464}}',
      '{"filename":"e.png","file_path":"/e","platform":"etsy","metadata":{"__proto__":1}}',
    ])
    const outcome = await runImport([file, '--user', owner.id], { DATABASE_URL: url })
    t.equal(outcome.code, 2)
    t.strictSame(countsIn(outcome), [13, 3, 2, 8])
    const reported = outcome.errors.split('\n').filter((line) => line.startsWith('Line'))
    t.match(reported, [
      /^Line 3: not valid JSON/,
      /^Line 4: design: tags must be array.*; platform must be string; is_active must be boolean/,
      'Line 5: design: colour is not a known field (guessed: set "kind", or --into)',
      'Line 9: not recognised, by their fields: templates (name), designs (filename), mockups (name): set "kind", or --into',
      'Line 11: longer than 5242880 bytes',
      /^Line 13: metadata.listing is a number with more digits than are kept.*: send it as a text/,
      'Line 14: metadata.__proto__ is a name that is not taken: give it another one',
      new RegExp(`^Line 7: template_ids names .* \\(${foreign}\\)`),
    ])
    t.equal(reported.length, 8)

    const { items } = (await owner.get('/api/designs')).body
    const shown = items.map(({ filename, tags, template_ids, is_active }: Record<string, unknown>) => ({
      filename,
      tags,
      template_ids,
      is_active,
    }))
    t.strictSame(shown, [
      { filename: 'd.png', tags: [], template_ids: [], is_active: true },
      { filename: 'a.png', tags: ['x', 'y'], template_ids: [own], is_active: true },
    ])
    t.strictSame(await rowsIn(url, 'templates', 'name'), { rows: 3, keys: 3 })
  },
)

t.test('an import killed in the middle and run again leaves each row exactly once', async (t) => {
  const { url, newUser } = await onPostgres(t)
  const { id } = await newUser()
  const total = 60_000
  const file = fileOf(designs(total), 'rows.ndjson.gz')
  const killed = startImport([file, '--user', id], { DATABASE_URL: url })
  const end = once(killed, 'exit')
  await until(async () => (await rowsIn(url)).rows > 2_000, { timeoutMs: 90_000, describe: 'the import is under way' })
  killed.kill('SIGKILL')
  await end
  const { rows: before } = await until(() => rowsIn(url), { describe: 'rows are counted' })
  t.ok(before > 2_000 && before < total, `killed after ${before} rows`)

  const again = await runImport([file, '--user', id], { DATABASE_URL: url })
  t.equal(again.code, 0)
  t.strictSame(await rowsIn(url), { rows: total, keys: total })
  const [read, created = 0, equal = 0, refused] = countsIn(again)
  t.strictSame([read, created + equal, refused], [total, total, 0])
  t.ok(equal >= before)
})

t.test('an import waits for a database that hangs for a while, says so, and goes on', async (t) => {
  const breakable = await startPostgres()
  t.teardown(() => breakable.stop())
  const url = await breakable.createDatabase()
  const { newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const { id } = await newUser()
  const total = 20_000
  const child = startImport([fileOf(designs(total)), '--user', id], { DATABASE_URL: url })
  const end = ended(child)
  await until(async () => (await rowsIn(url)).rows > 1_000, { timeoutMs: 90_000, describe: 'the import is under way' })
  breakable.pause()
  // Longer than it takes to be sure that the server is silent.
  await sleep(3_000)
  breakable.resume()
  const outcome = await end
  t.equal(outcome.code, 0, outcome.errors)
  t.match(outcome.errors, /nothing comes from the server: waiting/)
  t.strictSame(await rowsIn(url), { rows: total, keys: total })
})

t.test('two imports of one file at once leave each row exactly once', async (t) => {
  const { url, newUser } = await onPostgres(t)
  const [one, other] = [await newUser(), await newUser()]
  const file = fileOf([...designs(5_000), ...designs(100)])
  const imports = [one, one, other].map(({ id }) =>
    runImport([file, '--user', id, '--into', 'designs'], { DATABASE_URL: url }),
  )
  const outcomes = await Promise.all(imports)
  for (const { code, errors } of outcomes) t.equal(code, 0, errors)
  const imported = outcomes.map((outcome) => countsIn(outcome)[1] ?? 0)
  t.equal((imported[0] ?? 0) + (imported[1] ?? 0), 5_000)
  t.equal(imported[2], 5_000)
  t.strictSame(await rowsIn(url), { rows: 10_000, keys: 5_000 })
})

t.test('a running replica drops its cached lists when an import has written', async (t) => {
  const redis = await sharedRedis(t)
  const service = await onPostgres(t, { REDIS_URL: redis.url })
  const owner = await service.newUser()
  await until(() => service.app.cache.state === 'coherent', { describe: 'Redis is in use' })
  await owner.get('/api/designs')
  t.match((await owner.get('/api/designs')).headers['cache-status'], 'hit')

  const env = { DATABASE_URL: service.url, REDIS_URL: redis.url }
  t.equal((await runImport([fileOf(designs(3)), '--user', owner.id], env)).code, 0)
  await until(async () => (await owner.get('/api/designs')).body.items.length === 3, {
    timeoutMs: 1_000,
    describe: 'the list shows what was imported, within the staleness bound',
  })
})

t.test('an unknown user is said before the file is read, and nothing is written', async (t) => {
  const { url } = await onPostgres(t)
  const { code, errors } = await runImport([fileOf(['not json']), '--user', NOBODY], { DATABASE_URL: url })
  t.equal(code, 1)
  t.equal(errors, `There is no user ${NOBODY}: create the user first (POST /api/users)\n`)
})

t.test(
  'an embedded database that a running service has open is left alone, and the error says what to do',
  async (t) => {
    const dataDir = await preparedPgliteDir()
    const { newUser } = await startService(t, { env: { DATA_DIR: dataDir } })
    const { id } = await newUser()
    const { code, errors } = await runImport([fileOf(designs(1)), '--user', id], { DATA_DIR: dataDir })
    t.equal(code, 1)
    t.match(errors, `Process ${process.pid} has the embedded database in ${dataDir} open`)
    t.match(errors, 'Stop that process')
  },
)

t.test('wrong arguments are refused, and --help explains the exit codes', async (t) => {
  const refusals: [string[], RegExp][] = [
    [[], /Name one file/],
    [['a', 'b', '--user', NOBODY], /Name one file/],
    [['a'], /--user must be the id of a user/],
    [['a', '--user', NOBODY, '--into', 'users'], /--into must be one of templates, designs, mockups$/],
    [['a', '--user', NOBODY, '--all'], /--user or --all/],
    [['a', '--user', NOBODY, '--update', '--only-new'], /--update or --only-new/],
    [['a', '--user', NOBODY, '--mapping', 'etsy', '--currency', 'euro'], /--currency must be a code/],
    [['a', '--user', NOBODY, '--currency', 'EUR'], /goes with --mapping/],
    [['a', '--user', NOBODY, '--force'], /Unknown option/],
  ]
  for (const [args, message] of refusals) t.throws(() => parseImportArguments(args), message)
  const id = NOBODY.toUpperCase()
  const args = ['a', '--user', id, '--into', 'design', '--update', '--dry-run', '--keep-ids']
  t.match(parseImportArguments(args), {
    file: 'a',
    userId: NOBODY,
    kind: 'designs',
    existing: 'update',
    isDryRun: true,
    kept: { ids: true, dates: false },
  })
  t.match(await runImport(['nowhere.ndjson', '--user', NOBODY], {}), { code: 1, errors: /no such file/ })
  t.match(await runImport(['--help'], {}), {
    code: 0,
    output: /Exit code: 0 all lines are in, 2 some lines were refused/,
  })
})
