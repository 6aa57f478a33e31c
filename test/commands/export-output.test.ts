import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openExportOutput } from '../../commands/export/output.js'
import { startService } from '../helpers/app.js'
import { preparedPgliteDir } from '../helpers/pglite.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

async function write(path: string, content: string): Promise<void> {
  const output = await openExportOutput(path)
  output.stream.end(content)
  await once(output.stream, 'close')
  output.finish()
}

t.test('a file has its name once it is complete, and nothing stays of one that is not', async (t) => {
  const path = join(temporaryDirectory(), 'rows')
  writeFileSync(path, 'old')
  const output = await openExportOutput(path)
  output.stream.write('new')
  t.equal(readFileSync(path, 'utf8'), 'old')
  output.stream.destroy()
  await once(output.stream, 'close')
  output.discard()
  t.equal(readFileSync(path, 'utf8'), 'old')
  t.same(readdirSync(dirname(path)), ['rows'])
  await write(path, 'new')
  t.equal(readFileSync(path, 'utf8'), 'new')
})

t.test('two exports to one file at once do not write into each other', async (t) => {
  const folder = temporaryDirectory()
  const path = join(folder, 'rows')
  const [one, other] = [await openExportOutput(path), await openExportOutput(path)]
  one.stream.write('one')
  other.stream.write('other one')
  for (const { stream, finish } of [one, other]) {
    stream.end()
    await once(stream, 'close')
    finish()
    t.equal(readFileSync(path, 'utf8'), stream === one.stream ? 'one' : 'other one')
  }
  t.same(readdirSync(folder), ['rows'])
})

t.test('a symbolic link stays one, and what it names is written', async (t) => {
  const folder = temporaryDirectory()
  const [target, link, chain] = ['target', 'link', 'chain'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  symlinkSync('target', link)
  symlinkSync(link, chain)
  for (const [path, content] of [
    [link, 'first'],
    [chain, 'second'],
  ] as const) {
    await write(path, content)
    t.ok(lstatSync(path).isSymbolicLink())
    t.equal(readFileSync(target, 'utf8'), content)
  }
  symlinkSync('loop', join(folder, 'loop'))
  await t.rejects(openExportOutput(join(folder, 'loop')), /loop can't be written: its symbolic links/)
  await t.rejects(openExportOutput(folder), /can't be written: it is a folder/)
})

t.test('a pipe stays one, and whoever reads it gets the rows', async (t) => {
  const path = join(temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [path])
  const reader = spawn('cat', [path])
  const [content] = await Promise.all([text(reader.stdout), write(path, 'rows')])
  t.equal(content, 'rows')
  t.ok(lstatSync(path).isFIFO())
})

t.test('what can not be written is said in one line, and to a link goes an export', async (t) => {
  const dataDir = await preparedPgliteDir()
  const { app, newUser } = await startService(t, { env: { DATA_DIR: dataDir } })
  const user = await newUser()
  await user.post('/api/designs', { filename: 'a.png', file_path: '/a', platform: 'etsy' })
  await app.close()
  const { PATH } = process.env
  const run = async (path: string): Promise<{ code: unknown; errors: string }> => {
    const args = [TYPESCRIPT, 'commands/export.ts', '--user', user.id, '--out', path]
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { PATH, DATA_DIR: dataDir } })
    const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
    return { code, errors }
  }
  const folder = temporaryDirectory()
  t.match(await run(join(folder, 'nowhere', 'x')), { code: 1, errors: /^\S*nowhere\/x can't be written: ENOENT.*\n$/ })
  symlinkSync('target', join(folder, 'link'))
  t.match(await run(join(folder, 'link')), { code: 0 })
  t.match(readFileSync(join(folder, 'target'), 'utf8'), /"filename":"a.png"/)
})
