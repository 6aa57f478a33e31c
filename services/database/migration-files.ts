import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The build copies the folder, so that the same path holds in `dist/`. */
const FOLDER = fileURLToPath(new URL('./migrations/', import.meta.url))

/** `004.do.orders.sql`: a number, by which they run one after the other, and a name, which no two may have. */
const FILE = /^(?<number>\d+)\.do\.(?<name>[\w-]+)\.sql$/

export interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
}

/**
 * The migrations of this release, in the order to run them.
 * @throws Error for a file that is called otherwise, for two of one name, and when there is none
 */
export function readMigrations(folder = FOLDER): readonly Migration[] {
  const migrations = readdirSync(folder).map((file): Migration => {
    const { number, name } = FILE.exec(file)?.groups ?? {}
    if (number === undefined || name === undefined)
      throw new Error(`${file} in ${folder} is not called <number>.do.<name>.sql`)
    // A checkout may have made CRLF of its line ends.
    return { number: Number(number), name, text: readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n') }
  })
  if (migrations.length === 0) throw new Error(`No migrations in ${folder}: was the folder left out of the build?`)
  const names = migrations.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`Two migrations in ${folder} are called ${twice}: give one another name`)
  return migrations.sort((a, b) => a.number - b.number)
}

/** Of the text with LF as its line ends, whatever the file has. */
export function checksumOf({ text }: Migration): string {
  return hashOf('sha256', text)
}

/** What releases before this one may have noted: of the file as it was checked out there. */
export function earlierChecksumsOf({ text }: Migration): readonly string[] {
  return [hashOf('md5', text), hashOf('md5', text.replaceAll('\n', '\r\n'))]
}

function hashOf(algorithm: string, text: string): string {
  return createHash(algorithm).update(text, 'utf8').digest('hex')
}
