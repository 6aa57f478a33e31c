import { parseArgs } from 'node:util'
import { type Kind, kindNamed, kinds, USERS } from '../import/kinds.js'

export const usage = `Usage: npm run export -- --user <id> [--kind <kind>] [--out <file>] [--gzip]
       npm run export -- --all [--out <file>] [--gzip]

Writes rows as JSON lines that npm run import takes: templates, then designs, then mockups, all of one snapshot of the database.

  --user <id>    the rows of this user
  --all          all users (without their tokens) and their rows
  --kind <kind>  one of ${kinds.join('|')} alone
  --out <file>   the standard output when left out; the file is there once it is complete
  --gzip         packed; so is a file whose name ends in .gz

DATABASE_URL and DATA_DIR say where from, as for the service. docs/export.md says all of it.
Exit code: 0 all is written, 1 the export failed.`

export interface ExportArguments {
  /** `undefined`: of all users. */
  readonly userId: string | undefined
  /** In the order to write them, without users. */
  readonly kinds: readonly Kind[]
  /** `undefined`: the standard output. */
  readonly file: string | undefined
  readonly isPacked: boolean
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The arguments of the export; `undefined` when help was asked for.
 * @throws Error that says what is wrong with them
 */
export function parseExportArguments(args: readonly string[]): ExportArguments | undefined {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const help = { type: 'boolean', short: 'h' } as const
  const options = { user: text, all: flag, kind: text, out: text, gzip: flag, help }
  const { values } = parseArgs({ args: [...args], options })
  if (values.help === true) return undefined
  const userId = values.user?.toLowerCase()
  if ((values.all === true) === (userId !== undefined)) throw new Error('Give --user or --all (--help says how)')
  if (userId !== undefined && !UUID.test(userId)) throw new Error('--user must be the id of a user: a UUID')
  const kind = kindNamed(values.kind)
  if (values.kind !== undefined && (kind === undefined || kind === USERS)) {
    throw new Error(`--kind must be one of ${kinds.join(', ')}`)
  }
  const file = values.out === '-' ? undefined : values.out
  return {
    userId,
    kinds: kind === undefined ? kinds : [kind],
    file,
    isPacked: values.gzip === true || file?.endsWith('.gz') === true,
  }
}
