import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  dataDirFault,
  databaseFolder,
  EMBEDDED_MAJOR,
  folderFault,
} from '../../../../services/database/pglite/data-dir.js'
import { TYPESCRIPT } from '../../../helpers/typescript.js'
import { temporaryDirectory } from '../../../helpers/servers/servers.js'

const MODULE = new URL('../../../../services/database/pglite/data-dir.js', import.meta.url).href
/** May this user mount a file system, where nobody else sees it? */
const skipMounts = spawnSync('unshare', ['--mount', 'true']).status !== 0 && 'unshare is not permitted'

t.test('a folder is made with those above it, and nothing is left in it', async (t) => {
  const dataDir = join(temporaryDirectory(), 'a', 'b')
  t.equal(dataDirFault(dataDir), undefined)
  t.equal(dataDirFault(dataDir), undefined)
  t.same(readdirSync(dataDir), [])
})

t.test('what can be no folder is said, and the question comes to an end', async (t) => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  t.match(folderFault(file), /^is a file, or leads through one/)
  t.match(folderFault(join(file, 'below')), /^is a file, or leads through one/)
  t.match(folderFault('/proc/none/at/all'), /^can not be a folder \(ENOENT\)/)
  t.match(folderFault(join(temporaryDirectory(), 'x'.repeat(300))), /^can not be a folder \(ENAMETOOLONG\)/)
})

t.test('a database of another major version is named', async (t) => {
  const dataDir = temporaryDirectory()
  mkdirSync(databaseFolder(dataDir))
  const write = (major: string): void => writeFileSync(join(databaseFolder(dataDir), 'PG_VERSION'), `${major}\n`)
  write(EMBEDDED_MAJOR)
  t.equal(dataDirFault(dataDir), undefined)
  write('17')
  t.match(dataDirFault(dataDir), /^holds a database of PostgreSQL 17,/)
})

t.test('a disk that is full, too small or read-only', { skip: skipMounts }, async (t) => {
  const faultOn = (mount: string, fill = 'true'): string => {
    const folder = temporaryDirectory()
    const script = `const { dataDirFault } = await import(${JSON.stringify(MODULE)}); console.log(dataDirFault('${folder}/data'))`
    const run = [process.execPath, TYPESCRIPT, '--input-type=module', '-e', `'${script.replaceAll("'", `'"'"'`)}'`]
    const command = `mount -t tmpfs -o ${mount} tmpfs ${folder} && cd ${process.cwd()} && { ${fill}; ${run.join(' ')}; }`
    const { stdout } = spawnSync('unshare', ['--mount', 'sh', '-c', command.replaceAll('FOLDER', folder)], {
      encoding: 'utf8',
    })
    t.notOk(existsSync(join(folder, 'data')), 'on the disk that was mounted')
    return stdout.trim()
  }
  t.match(faultOn('ro'), /^is on a file system that is read-only/)
  t.match(faultOn('size=20m'), /^has (19|20) MiB free, and a new database takes 64/)
  t.match(faultOn('size=1m', 'dd if=/dev/zero of=FOLDER/fill bs=4k 2>/dev/null'), /^is on a disk that is full/)
  t.equal(faultOn('size=100m'), 'undefined')
})
