import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as prettier from 'prettier'
import t from 'tap'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'docs/adding-a-domain.md'), 'utf8')
const COPIED = [
  'package.json',
  'tsconfig.json',
  '.oxlintrc.json',
  '.oxlint',
  'app.ts',
  'server.ts',
  'starting.ts',
  'migrate.ts',
]
/** The page's own, and those that a new resource has to be in or must not break: in one process, which loads the service once. */
const TESTS = ['routes/api/orders', 'services/domains', 'services/resource/addresses', 'docs/limits']
const FOLDERS = ['bench', 'commands', 'dashboard', 'plugins', 'routes', 'services', 'test']

/** A code block that names its file. */
interface Block {
  readonly language: string
  readonly file: string
  readonly text: string
}

function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\w+) (\S+)\n(.*?)^```$/gms)].map(([, language = '', file = '', text = '']) => ({
    language,
    file,
    text,
  }))
}

/** As this repository is formatted. */
async function formatted(file: string, text: string): Promise<string> {
  const path = join(ROOT, file)
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path })
}

/** The text with the lines of a diff replaced, which must stand in it once. */
function patched(text: string, diff: string): string {
  const lines = diff.trimEnd().split('\n')
  const side = (sign: string): string =>
    lines
      .filter((line) => !line.startsWith(sign))
      .map((line) => line.slice(1))
      .join('\n')
  const parts = text.split(side('+'))
  if (parts.length !== 2) throw new Error(`Not once in the file:\n${side('+')}`)
  return parts.join(side('-'))
}

t.test('whoever follows the page has orders: types, walls, tests, triggers and import', async (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'roundhouse-orders-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  for (const name of [...COPIED, ...FOLDERS])
    cpSync(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !/\/(node_modules|dist)$/.test(path),
    })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))

  const blocks = blocksOf(PAGE)
  const written = new Set(blocks.filter(({ language }) => language !== 'diff').map(({ file }) => file))
  t.ok(written.size <= 5, `four files and a test: ${[...written].join(', ')}`)
  for (const { language, file, text } of blocks) {
    const path = join(copy, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, language === 'diff' ? patched(readFileSync(path, 'utf8'), text) : text)
  }
  const sources = [...new Set(blocks.map(({ file }) => file))].filter((file) => file.endsWith('.ts'))
  for (const file of sources) {
    const text = readFileSync(join(copy, file), 'utf8')
    t.equal(text, await formatted(file, text), `${file} is formatted`)
  }

  // Without tap's hooks, over which the loaders of lint trip, and which would count the inner tests as our own.
  const run = (...command: string[]): string => {
    const args = ['--unset=NODE_OPTIONS', process.execPath, ...command]
    const { status, stdout, stderr } = spawnSync('env', args, { cwd: copy, encoding: 'utf8' })
    if (status !== 0) t.fail(command.join(' '), { output: `${stdout}${stderr}`.slice(-4_000) })
    return stdout
  }
  run('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.')
  run('node_modules/oxlint/bin/oxlint', ...sources)
  t.match(PAGE, /^npm run docs:limits\b/m)
  mkdirSync(join(copy, 'docs'))
  writeFileSync(join(copy, 'docs/limits.md'), await formatted('docs/limits.md', run(TYPESCRIPT, 'commands/limits.ts')))
  writeFileSync(join(copy, 'test/all.test.ts'), TESTS.map((name) => `import './${name}.test.js'\n`).join(''))
  const passed = run(TYPESCRIPT, 'test/all.test.ts')
  t.match(passed, /^ok 4 - orders are imported/m)
  t.match(passed, /orders\.design_id/)
  t.match(passed, / - orders take /)
  t.match(passed, /^ok \d+ - the page of limits/m)
  t.match(run(TYPESCRIPT, 'commands/journal-sql.ts'), /after insert on "public"\.""?orders/)
  t.match(run(TYPESCRIPT, 'commands/import.ts', '--help'), /orders \(number\)/)
})

// Each inner run takes seconds on a busy machine.
t.setTimeout(200_000)
