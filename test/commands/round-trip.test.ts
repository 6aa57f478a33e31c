import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { BODY_LIMIT_BYTES } from '../../app.js'
import { exportedLines } from '../../commands/export/lines.js'
import { kinds } from '../../commands/import/kinds.js'
import { inSnapshot } from '../../services/export/snapshot.js'
import { startService, type TestService } from '../helpers/app.js'
import { imported } from '../helpers/importing.js'
import { preparedPgliteDir } from '../helpers/pglite.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'
import { sharedPostgres } from '../helpers/servers/shared-servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

type Env = Readonly<Record<string, string>>

/** `npm run import` or `npm run export` as a real process. */
async function run(
  command: string,
  args: readonly string[],
  env: Env,
): Promise<{ code: unknown; output: Buffer; errors: string }> {
  const { PATH } = process.env
  const child = spawn(process.execPath, [TYPESCRIPT, `commands/${command}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH, ...env },
  })
  const output: Buffer[] = []
  let errors = ''
  child.stdout.on('data', (chunk) => output.push(chunk))
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const [code]: unknown[] = await once(child, 'close')
  return { code, output: Buffer.concat(output), errors }
}

/** Two users with rows of all kinds: two of one name, a large one, with every field and with none. */
async function fill({ newUser }: TestService): Promise<void> {
  for (const user of [await newUser(), await newUser()]) {
    const templates = []
    for (const external of ['t1', null]) {
      const { body } = await user.post('/api/templates', {
        name: 'Tasse “groß” é',
        title: '{design_name}',
        platform: 'etsy',
        product_type: 'mug',
        price: { cents: 9_007_199_254_740_991, currency: 'EUR' },
        external_id: external,
        metadata: { b: 1.5, a: [null, 'x\n', 1e20, 1e21, 1e-7] },
      })
      templates.push(body.id)
    }
    const { body: design } = await user.post('/api/designs', {
      filename: 'fox.png',
      file_path: '/a',
      platform: 'etsy',
      description: 'x\u2028y '.repeat(1_000).trim(),
      tags: Array.from({ length: 100 }, (_, n) => `tag ${n}`),
      template_ids: templates.toReversed(),
      external_id: 'd/1',
    })
    await user.post('/api/designs', { filename: 'fox.png', file_path: '/a', platform: 'etsy', is_digital: true })
    await user.patch(`/api/designs/${design.id}`, { is_active: false })
    const masks = [[[0.000001, 1_000_000]], []]
    const images = [{ filename: 'f', file_path: '/f', masks }]
    await user.post('/api/mockups', {
      name: 'm',
      template_id: templates[1],
      design_id: design.id,
      images,
      starting_name: 7,
    })
    await user.post('/api/mockups', { name: 'm', template_id: templates[0] })
  }
}

/** Rows whose lines are longer than a body: they came in bulk, or in parts, or the database writes them with spaces. */
async function fillWithLong(t: Test, { newUser }: TestService): Promise<void> {
  const user = await newUser()
  const design = { filename: 'f', file_path: '/f', platform: 'etsy' }
  const create = async (resource: string, row: object): Promise<string> => {
    const { body } = await user.post(`/api/${resource}/bulk`, { operations: [{ op: 'create', row }] })
    t.equal(body.results[0].status, 201, JSON.stringify(body).slice(0, 500))
    return body.results[0].id
  }
  await create('designs', { ...design, description: '\u{1F98A}'.repeat(65_536) })
  const made = await user.post('/api/designs', { ...design, filename: 'g', description: 'é'.repeat(60_000) })
  const more = {
    tags: Array.from({ length: 100 }, (_, n) => `é${n} `.padEnd(100, 'é')),
    metadata: { a: '"'.repeat(8_000) },
  }
  t.equal((await user.patch(`/api/designs/${made.body.id}`, more)).status, 200)
  const template = await create('templates', { name: 't', title: 't', platform: 'etsy', product_type: 'mug' })
  const images = (corner: readonly number[], masks: number) => {
    const all = Array.from({ length: masks }, () => Array.from({ length: 1_000 }, () => corner))
    const sets = Array.from({ length: Math.ceil(masks / 50) }, (_, n) => all.slice(50 * n, 50 * n + 50))
    return sets.map((set) => ({ filename: 'f', file_path: '/f', masks: set }))
  }
  const single = { name: 'a', template_id: template, images: images([0, 0], 20) }
  t.equal((await user.post('/api/mockups', single)).status, 201)
  const text = JSON.stringify({
    op: 'create',
    row: { name: 'b', template_id: template, images: images([1e6, 1e6], 104) },
  })
  const payload = `{"operations":[${text.replaceAll('1000000', '1e6')}]}`
  const headers = { 'content-type': 'application/json' }
  const { body } = await user.send({ method: 'POST', url: '/api/mockups/bulk', payload, headers })
  t.equal(body.results[0].status, 201)
}

/** Every column of every row, as text. */
async function catalogueIn(app: FastifyInstance): Promise<object> {
  const tables = ['users', 'templates', 'designs', 'mockups']
  const all = tables.map((table) =>
    app.db.query({ name: 'test.all', text: `select to_json(x)::text as row from ${table} x order by id` }),
  )
  return Object.fromEntries((await Promise.all(all)).map((rows, index) => [tables[index], rows]))
}

/** Those of {@link fill} and {@link fillWithLong}. */
const COUNT = 2 + 2 * 6 + 1 + 5
const keeps = { keeps: true }

async function suite(t: Test, to: Env, move: (source: TestService) => Promise<void>, from: Env): Promise<void> {
  const source = await startService(t, { env: from })
  await fill(source)
  await fillWithLong(t, source)
  const before = await catalogueIn(source.app)
  await move(source)
  const target = await startService(t, { env: to })
  t.same(await catalogueIn(target.app), before)
}

t.test(
  'an export imported into an empty database is the same catalogue: embedded to server, by the commands',
  async (t) => {
    const postgres = await sharedPostgres(t)
    const [from, to] = [{ DATA_DIR: await preparedPgliteDir() }, { DATABASE_URL: await postgres.serviceDatabase() }]
    const move = async (source: TestService): Promise<void> => {
      await source.app.close()
      const file = join(temporaryDirectory(), 'all.ndjson.gz')
      const exported = await run('export', ['--all', '--out', file], from)
      t.equal(exported.code, 0, exported.errors)
      const text = gunzipSync(readFileSync(file)).toString()
      t.equal(text.trimEnd().split('\n').length, COUNT)
      const lengths = text.split('\n').map((line) => Buffer.byteLength(line))
      t.equal(lengths.filter((length) => length > BODY_LIMIT_BYTES).length, 4)
      t.ok(lengths.some((length) => length > 2_000_000))
      t.match(text, /"kind":"mockup","user_email":"user\d@example.com".*"template_external_id":"t1"/)
      const arrived = await run('import', [file, '--all', '--keep-ids', '--keep-dates'], to)
      t.equal(arrived.code, 0, arrived.errors)
    }
    await suite(t, to, move, from)
  },
)

t.test('the same from a server to an embedded database, twice, and in the opposite order', async (t) => {
  const postgres = await sharedPostgres(t)
  const [from, to] = [{ DATABASE_URL: await postgres.serviceDatabase() }, { DATA_DIR: await preparedPgliteDir() }]
  await suite(
    t,
    to,
    async ({ app }) => {
      let text = ''
      await inSnapshot(app.db, 0, async (snapshot) => {
        for await (const chunk of exportedLines(snapshot, app.db.kind, { userId: undefined, kinds })) text += chunk
      })
      const lines: object[] = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      const target = await startService(t, { env: to })
      const dry = await imported(target.app, undefined, lines.toReversed(), { ...keeps, isDryRun: true })
      t.same(dry, { counts: { read: COUNT, created: COUNT }, troubles: [] })
      t.match(await catalogueIn(target.app), { users: [] })
      const first = await imported(target.app, undefined, lines.toReversed(), keeps)
      t.same(first, { counts: { read: COUNT, created: COUNT }, troubles: [] })
      t.match(await imported(target.app, undefined, lines, keeps), { counts: { read: COUNT, equal: COUNT } })
      await target.app.close()
    },
    from,
  )
})
