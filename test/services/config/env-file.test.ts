import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readEnvFile } from '../../../services/config/env-file.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'

const TEXT = 'DATABASE_URL=postgresql://h/db\n# PORT: 1\nexport PORT="3001"\n'
const path = join(temporaryDirectory(), '.env')

t.test('no file is no variables', async (t) => {
  t.same(readEnvFile(path), { values: {}, faults: [] })
})

t.test('a file in UTF-8 is read, whatever ends its lines', async (t) => {
  for (const text of [TEXT, TEXT.replaceAll('\n', '\r\n')]) {
    writeFileSync(path, text)
    t.same(readEnvFile(path), { values: { DATABASE_URL: 'postgresql://h/db', PORT: '3001' }, faults: [] })
  }
})

t.test('what would lose a variable in silence is a fault', async (t) => {
  const contents: Record<string, Buffer> = {
    'is in UTF-16': Buffer.from(`\uFEFF${TEXT}`, 'utf16le'),
    'UTF-16, of which': Buffer.from(`\uFEFF${TEXT}`, 'utf16le').swap16(),
    'in UTF-16, of': Buffer.from(TEXT, 'utf16le'),
    'byte order mark': Buffer.from(`\uFEFF${TEXT}`),
    'no UTF-8': Buffer.from(`# Caf\u00e9\n${TEXT}`, 'latin1'),
    'names DATABASE_URL in a line': Buffer.from('DATABASE_URL: postgresql://h/db\nPORT=1'),
    'names PORT in a line': Buffer.from('DATABASE_URL=postgresql://h/db\rPORT=1'),
    'names HOST in a line': Buffer.from('\u00A0HOST=::1'),
    'names DATABASE_URL in': Buffer.from('DATABASE_URL postgresql://h/db\nPORT=1'),
    'DATABASE_URL in a line': Buffer.from('export DATABASE_URL\tpostgresql://h/db?sslmode=require\nPORT=1'),
    'names PORT in': Buffer.from('DATABASE_URL=postgresql://h/db\nPORT'),
  }
  for (const [message, bytes] of Object.entries(contents)) {
    writeFileSync(path, bytes)
    const { values, faults } = readEnvFile(path)
    t.match(faults.map((fault) => fault.message).join(), message)
    t.ok(faults.every(({ variable }) => variable === path))
    t.notSame(Object.keys(values), ['DATABASE_URL', 'PORT'], 'it would have been lost')
  }
})

t.test('what only begins like a variable of ours is none', async (t) => {
  writeFileSync(path, 'PORTS=1\nHOST-NAME=a\nDATABASE_URL.old=b\n# PORT 3000\nNAME=PORT 1\n')
  t.same(readEnvFile(path).faults, [])
})

t.test('what is no file is a fault', async (t) => {
  const folder = join(temporaryDirectory(), '.env')
  mkdirSync(folder)
  t.match(readEnvFile(folder).faults, [{ variable: folder, message: 'can not be read (EISDIR)' }])
})
