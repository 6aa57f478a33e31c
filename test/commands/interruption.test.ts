import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { DeferredLines } from '../../commands/import/deferred-lines.js'
import { openInput } from '../../commands/import/input.js'
import type { Line } from '../../commands/import/lines.js'
import { until } from '../helpers/deadline.js'
import { preparedPgliteDir } from '../helpers/pglite.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const PROGRAM = fileURLToPath(new URL('../../commands/import.ts', import.meta.url))
const MAX_BYTES = 5_000_000

function namedPipe(): string {
  const path = join(temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [path])
  return path
}

/** `npm run import` of a pipe; what it says so far. */
async function importOf(t: Test, path: string): Promise<{ said(): string; interrupt(): Promise<unknown> }> {
  const { PATH } = process.env
  const env = { PATH, DATA_DIR: await preparedPgliteDir(), TMPDIR: temporaryDirectory() }
  const child = spawn(process.execPath, [TYPESCRIPT, PROGRAM, path, '--all'], { env })
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  return {
    said: () => errors,
    async interrupt() {
      const end = once(child, 'close')
      child.kill('SIGTERM')
      return (await end)[0]
    },
  }
}

t.test('SIGTERM ends an import of a named pipe in which nothing comes any more', { timeout: 120_000 }, async (t) => {
  const path = namedPipe()
  const { said, interrupt } = await importOf(t, path)
  const pipe = await open(path, 'w')
  t.teardown(() => pipe.close())
  const user = (n: number): string => `{"kind":"user","email":"u${n}@example.com","shop_name":"A"}\n`
  await pipe.write(Array.from({ length: 500 }, (_, n) => user(n)).join(''))
  // The line of the progress is of the batch, which is in by then.
  await until(() => /500 lines/.test(said()), { timeoutMs: 100_000, describe: 'a batch is in' })
  t.equal(await interrupt(), 1)
  t.match(said(), /Interrupted: run the same import again/)
})

t.test('a named pipe is read to its end, and given up before anybody writes', async (t) => {
  const path = namedPipe()
  const { signal } = new AbortController()
  const opened = openInput(path, { maxLineBytes: MAX_BYTES, signal })
  const pipe = await open(path, 'w')
  const written = pipe.write(`${'{"a":1}\n'.repeat(100_000)}{"b":2}`).then(() => pipe.close())
  let count = 0
  let last: Line | undefined
  for await (const line of (await opened).lines) [count, last] = [count + 1, line]
  await written
  t.equal(count, 100_001)
  t.match(last, { text: '{"b":2}' })

  const interruption = new AbortController()
  const nobody = openInput(path, { maxLineBytes: MAX_BYTES, signal: interruption.signal })
  interruption.abort()
  await t.rejects(nobody, { name: 'AbortError' })
})

t.test('an interruption is no fault of a line of CSV', async (t) => {
  const path = namedPipe()
  const interruption = new AbortController()
  const mapping = { kind: 'design', fields: { filename: 'File' } }
  const opened = openInput(path, { maxLineBytes: MAX_BYTES, signal: interruption.signal, mapping })
  const pipe = await open(path, 'w')
  t.teardown(() => pipe.close())
  await pipe.write(`File\n${'a.png\n'.repeat(20_000)}`)
  const lines = (await opened).lines[Symbol.asyncIterator]()
  await lines.next()
  interruption.abort()
  await t.rejects(
    (async () => {
      while ((await lines.next()).done !== true);
    })(),
    { name: 'AbortError' },
  )
})

t.test('lines that wait on the disk may be given up while they are written', async (t) => {
  const folder = temporaryDirectory()
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  t.teardown(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  const deferred = new DeferredLines(MAX_BYTES)
  t.same(readdirSync(folder), [], 'there is no folder until a line waits')
  await deferred.add(1, 'first')
  const adding = deferred.add(2, 'x'.repeat(MAX_BYTES)).catch(() => {})
  await deferred.remove()
  t.same(readdirSync(folder), [])

  const full = new DeferredLines(MAX_BYTES)
  process.env['TMPDIR'] = join(folder, 'nowhere')
  await t.rejects(full.add(1, 'x'), /where lines wait .*ENOENT.*TMPDIR names another folder/)
  await full.remove()
  t.notOk(existsSync(join(folder, 'nowhere')))
  void adding
})
