import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkFaultsFile, Report } from '../../commands/import/report.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

/** In which nobody makes a file, whoever it is. */
const CLOSED_FOLDER = '/proc'
/** Made before the tests name another folder for temporary ones. */
const [first, second, third] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()]
const NAME = `import-faults-${process.pid}.ndjson`

/** The last line that is printed of so many lines with one fault. */
function lastOf(file: string | undefined, count = 25): string | undefined {
  const printed: string[] = []
  const report = new Report({ noun: 'Line', file, print: (line) => printed.push(line) })
  for (let line = 1; line <= count; line++) report.add({ line, outcome: 'refused', reasons: ['x is missing'] })
  report.end()
  return printed.at(-1)
}

function linesIn(path: string): number {
  return readFileSync(path, 'utf8').trimEnd().split('\n').length
}

t.test('a folder in which an import left its faults takes those of the next one', (t) => {
  const folder = first
  process.chdir(folder)
  for (const name of [NAME, NAME.replace('.', '-2.')]) {
    t.match(lastOf(undefined), `5 more are not printed, each like 20 above: all of them are in ${name}`)
    t.equal(linesIn(join(folder, name)), 25)
  }
  t.end()
})

t.test('where the current folder takes no file they are with the temporary ones', (t) => {
  const folder = second
  process.env['TMPDIR'] = folder
  process.chdir(CLOSED_FOLDER)
  t.match(lastOf(undefined), join(folder, NAME))
  t.same(readdirSync(folder), [NAME])
  t.equal(linesIn(join(folder, NAME)), 25)
  t.end()
})

t.test('an import goes on without a file, and says so', (t) => {
  process.env['TMPDIR'] = CLOSED_FOLDER
  process.chdir(CLOSED_FOLDER)
  const nowhere = /^5 more are not printed.*: no file has all of them, since it can't be written: E.* \(--faults names/
  t.match(lastOf(undefined), nowhere)
  t.match(lastOf(join(CLOSED_FOLDER, 'faults')), nowhere)
  t.match(lastOf('/dev/full'), nowhere)
  t.match(lastOf('/dev/full', 20), /^Line 20: x is missing$/)
  t.end()
})

t.test('what --faults names is looked at before the import', (t) => {
  const folder = third
  t.throws(() => checkFaultsFile(folder), /--faults: .* can't be written: it is a folder/)
  t.throws(() => checkFaultsFile(join(folder, 'none', 'x')), /--faults: .* can't be written: ENOENT/)
  const path = join(folder, 'faults')
  checkFaultsFile(path)
  t.notOk(existsSync(path))
  writeFileSync(path, 'old')
  checkFaultsFile(path)
  t.equal(readFileSync(path, 'utf8'), 'old')
  t.end()
})
