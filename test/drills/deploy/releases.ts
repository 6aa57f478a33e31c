import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../../helpers/servers/servers.js'

const ROOT = join(import.meta.dirname, '../../..')
const CODEC = 'services/cache/redis/entry-codec.js'
const MIGRATIONS = 'services/database/migrations'
const FORMAT = /\bFORMAT_VERSION = (\d+)\b/

/** What the next release brings: a column and an index of tables that are read and written all the while. */
const NEXT_MIGRATION = `
alter table designs add column drill_note text not null default '', add column drill_count integer;
create index drill_designs on designs (user_id, drill_count);
alter table templates add column drill_note text;
`

/** A release in a folder of its own, built, as a container has it. */
export interface Release {
  readonly name: string
  readonly folder: string
  /** Of what it keeps in Redis. */
  readonly format: number
  readonly migrations: number
}

/** What is served now. */
export function currentRelease(): Release {
  // As `npm start` does. The compiler does not run under the hooks that tap's command gives every child by NODE_OPTIONS.
  const build = [process.execPath, join(ROOT, 'commands/build.js'), '--if-changed']
  execFileSync('env', ['--unset=NODE_OPTIONS', ...build], { stdio: 'inherit' })
  return copyOf('current')
}

/** What is served now, and the release after it: another storage format, and a migration more. */
export function makeReleases(): { readonly current: Release; readonly next: Release } {
  const [current, next] = [currentRelease(), copyOf('next')]
  const codec = join(next.folder, 'dist', CODEC)
  const changed = readFileSync(codec, 'utf8').replace(FORMAT, `FORMAT_VERSION = ${next.format + 1}`)
  writeFileSync(codec, changed)
  writeFileSync(join(next.folder, 'dist', MIGRATIONS, '900.do.drill.sql'), NEXT_MIGRATION)
  return { current, next: read('next', next.folder) }
}

function copyOf(name: string): Release {
  const folder = join(temporaryDirectory(), name)
  mkdirSync(folder)
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return read(name, folder)
}

function read(name: string, folder: string): Release {
  const format = Number(FORMAT.exec(readFileSync(join(folder, 'dist', CODEC), 'utf8'))?.[1])
  if (!Number.isInteger(format)) throw new Error(`${CODEC} names no format`)
  return { name, folder, format, migrations: readdirSync(join(folder, 'dist', MIGRATIONS)).length }
}
