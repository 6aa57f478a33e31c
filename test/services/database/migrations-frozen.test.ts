import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const FOLDER = join(import.meta.dirname, '../../../services/database/migrations')

/** Beginnings of SHA-256. A database keeps the checksum of each file that it ran, and the service does not start when one differs. */
const FROZEN = {
  '001.do.catalogue.sql': '5f74766f021fec3b',
  '002.do.cache-journal.sql': 'c241ea64e3c40afe',
  '003.do.snapshot-journal.sql': 'b16f1604be7b4a55',
}

t.test('a migration is never edited, not even its comments: a later one puts it right', async (t) => {
  const files = readdirSync(FOLDER).sort()
  const hashOf = (file: string): string =>
    createHash('sha256')
      .update(readFileSync(join(FOLDER, file)))
      .digest('hex')
  const [released, others] = [Object.keys(FROZEN), files.filter((file) => !(file in FROZEN))]
  t.same(Object.fromEntries(released.map((file) => [file, hashOf(file).slice(0, 16)])), FROZEN)
  const last = released.at(-1) ?? ''
  t.ok(
    others.every((file) => file > last),
    'what no database has run yet comes after the others; a release adds it to this list',
  )
})
