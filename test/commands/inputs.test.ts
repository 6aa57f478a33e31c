import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { openInput } from '../../commands/import/input.js'
import { itemsOf } from '../../commands/import/items.js'
import type { Line } from '../../commands/import/lines.js'
import { Report } from '../../commands/import/report.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const MAX_BYTES = 60

const { signal } = new AbortController()

async function collected(lines: AsyncIterable<Line>): Promise<Line[]> {
  const all: Line[] = []
  for await (const line of lines) all.push(line)
  return all
}

function fileOf(content: Buffer | string, name = 'rows'): string {
  const path = join(temporaryDirectory(), name)
  writeFileSync(path, content)
  return path
}

async function read(content: Buffer | string): Promise<Line[]> {
  return collected((await openInput(fileOf(content), { maxLineBytes: MAX_BYTES, signal })).lines)
}

function utf16(text: string, order: 'le' | 'be'): Buffer {
  const bytes = Buffer.from(text, 'utf16le')
  return order === 'le' ? bytes : bytes.swap16()
}

const TEXT = '{"a":"é"}\r\n{"b":"日"}\r\n'
const LINES = [
  { number: 1, text: '{"a":"é"}' },
  { number: 2, text: '{"b":"日"}' },
]

t.test('gzip is known by its content, encodings by mark or zeros, whatever the file is called', async (t) => {
  t.same(await read(TEXT), LINES)
  t.same(await read(`\uFEFF${TEXT}`), LINES)
  t.same(await read(gzipSync(`\uFEFF${TEXT}`)), LINES)
  for (const order of ['le', 'be'] as const) {
    t.same(await read(utf16(`\uFEFF${TEXT}`, order)), LINES)
    t.same(await read(utf16(TEXT, order)), LINES, 'without a mark')
    t.same(await read(gzipSync(utf16(`\uFEFF${TEXT}`, order))), LINES)
  }
  t.same(await read(''), [])
  const path = fileOf(gzipSync(TEXT), 'no-gz')
  const input = await openInput(path, { maxLineBytes: MAX_BYTES, signal })
  await collected(input.lines)
  t.equal(input.readBytes(), input.sizeBytes)
})

t.test('what can not be read is named', async (t) => {
  await t.rejects(read(Buffer.from('PK\u0003\u0004…')), /ZIP archive/)
  await t.rejects(read(Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0])), /UTF-32/)
  await t.rejects(read(Buffer.from([0xff, 0xfe, 0, 0xd8, 0x7b, 0])), /Not valid UTF-16/)
  await t.rejects(read('TITLE,PRICE\nFox,1\n'), /looks like CSV: --mapping/)
  await t.rejects(read(gzipSync(TEXT.repeat(1_000)).subarray(0, -6)), { message: 'unexpected end of file' })
  await t.rejects(read('[{"a":1},'), /does not end/)
  await t.rejects(read('[{"a":1}] {}'), /after its end/)
  await t.rejects(openInput(temporaryDirectory(), { maxLineBytes: 1, signal }), /EISDIR|folder/)
})

t.test('an array comes out item by item, however the file was cut', async (t) => {
  const items = ['{"a":"],[ \\" \\\\"}', '[1,[2]]', '{"b":{"c":[{}]},\n "d":"é"}', 'broken', '5']
  const text = Buffer.from(` [ ${items.join(' ,\n ')}\n] \n`)
  const expected = items.map((item, index) => ({ number: index + 1, text: item }))
  for (let bytes = 1; bytes <= text.length; bytes++) {
    const chunks = Array.from({ length: Math.ceil(text.length / bytes) }, (_, n) =>
      text.subarray(n * bytes, (n + 1) * bytes),
    )
    t.same(await collected(itemsOf(Readable.from(chunks), MAX_BYTES)), expected)
  }
  t.same(await read('[]'), [])
  t.same(await read(`[{"a":"${'x'.repeat(100)}"},{"b":1}]`), [
    { number: 1, fault: 'longer than 60 bytes' },
    { number: 2, text: '{"b":1}' },
  ])
})

t.test('twenty of one fault are printed, then how many more there are, and a file has all of them', async (t) => {
  const printed: string[] = []
  const file = join(temporaryDirectory(), 'faults')
  const report = new Report({ noun: 'Line', file, print: (line) => printed.push(line) })
  for (let line = 1; line <= 1_000; line++) {
    report.add({ line, outcome: 'refused', reasons: [`tags.${line} must be string`] })
    if (line % 100 === 0) report.add({ line, outcome: 'different', reasons: [`title is "${line}" there and "x" here`] })
  }
  report.end()
  t.equal(printed.length, 20 + 10 + 1)
  t.match(printed.at(-1), new RegExp(`^980 more are not printed.*${file}$`))
  const { lines } = await openInput(file, { maxLineBytes: 1_000, signal })
  const all = (await collected(lines)).map((line) => JSON.parse('text' in line ? line.text : ''))
  t.equal(all.length, 1_010)
  t.match(all[0], { line: 1, outcome: 'refused', reasons: ['tags.1 must be string'] })

  const few = new Report({ noun: 'Item', file: join('/nowhere', 'x'), print: (line) => printed.push(line) })
  few.add({ line: 3, outcome: 'refused', reasons: ['a', 'b'] })
  few.end()
  t.equal(printed.at(-1), 'Item 3: a; b', 'no file is made for a few')
})

t.test('faults of ever other kinds are not printed for ever', async (t) => {
  let printed = 0
  const report = new Report({ noun: 'Line', file: join(temporaryDirectory(), 'f'), print: () => (printed += 1) })
  const word = (n: number): string => n.toString(26).replaceAll(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)] ?? '')
  for (let line = 1; line <= 5_000; line++)
    report.add({ line, outcome: 'refused', reasons: [`${word(line)} is not a known field`] })
  report.end()
  t.ok(printed < 300, `${printed} lines`)
})

t.test('SIGTERM ends an import that waits for a pipe, as Ctrl-C does', async (t) => {
  const program = fileURLToPath(new URL('../../commands/import.ts', import.meta.url))
  const { startService } = await import('../helpers/app.js')
  const { sharedPostgres } = await import('../helpers/servers/shared-servers.js')
  const { until } = await import('../helpers/deadline.js')
  const postgres = await sharedPostgres(t)
  const url = await postgres.serviceDatabase()
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: url } })
  const user = await newUser()
  const { PATH } = process.env
  const early = spawn(process.execPath, [TYPESCRIPT, program, '-', '--user', user.id], {
    env: { PATH, DATABASE_URL: url },
  })
  const said = text(early.stderr)
  const asked = `select from pg_stat_activity where datname = current_database() and query like '%users where id = $1::uuid'`
  await until(async () => (await app.db.query({ name: 'test.asked', text: asked })).length > 0, {
    timeoutMs: 60_000,
    describe: 'it has looked for the user, and will read',
  })
  early.kill('SIGTERM')
  t.equal((await once(early, 'close'))[0], 1)
  t.equal(await said, 'Interrupted: run the same import again to go on\n', 'before the first byte')

  const child = spawn(process.execPath, [TYPESCRIPT, program, '-', '--user', user.id], {
    env: { PATH, DATABASE_URL: url },
  })
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const rows = Array.from({ length: 500 }, (_, n) =>
    JSON.stringify({ filename: `${n}.png`, file_path: '/a', platform: 'etsy' }),
  )
  child.stdin.write(`${rows.join('\n')}\n`)
  await until(async () => (await user.get('/api/designs?limit=1')).body.items.length === 1, {
    timeoutMs: 60_000,
    describe: 'a batch is in',
  })
  const end = once(child, 'close')
  child.kill('SIGTERM')
  t.equal((await end)[0], 1)
  t.match(errors, /Interrupted: run the same import again/)
})
