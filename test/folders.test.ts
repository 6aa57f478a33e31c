import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const MOST_FILES = 20
/** One file for each change of the schema, which never moves again. */
const MIGRATIONS = 'services/database/migrations'
/** Lines of .gitignore: each is a name, or `*` and an ending. */
const IGNORED = ['.git', ...readFileSync(join(ROOT, '.gitignore'), 'utf8').trim().split('\n')]

t.test('no folder below the root has more than 20 files', async (t) => {
  const counts = new Map<string, number>()
  count('', counts)
  t.ok(counts.has('services/cache/core') && counts.has('.github/workflows'), 'all folders are looked into')
  // Many tools look for their files in the root alone.
  const full = [...counts].filter(([name, files]) => files > MOST_FILES && name !== '' && name !== MIGRATIONS)
  t.same(full, [], 'what belongs together in one of these gets a folder of its own')
})

/** Not asked of git: a container that runs the tests has none. */
function count(folder: string, counts: Map<string, number>): void {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true }).filter(({ name }) => !isIgnored(name))
  const folders = entries.filter((entry) => entry.isDirectory())
  counts.set(folder, entries.length - folders.length)
  for (const { name } of folders) count(posix.join(folder, name), counts)
}

function isIgnored(name: string): boolean {
  return IGNORED.some((line) =>
    line.startsWith('*') ? name.endsWith(line.slice(1)) : name === line.replace(/\/$/, ''),
  )
}
