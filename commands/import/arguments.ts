import { parseArgs } from 'node:util'
import { isCurrency } from '../../services/money.js'
import { type Kind, kindNamed, kinds, recognised, USERS } from './kinds.js'
import type { Kept } from './reader.js'
import { shopNames } from './shops.js'

export const usage = `Usage: npm run import -- <file> --user <id> [options]
       npm run import -- <file> --all [options]

Loads designs, templates and mockups: JSON lines, a JSON array, or CSV with --mapping; in UTF-8 or UTF-16, also packed with
gzip. A hyphen is the standard input. docs/import.md says all of it.

What a line is, its field kind tells, or its other fields: ${recognised}.
A row is known by its external_id, else by its natural key. What is there already is compared: what is equal is left
alone, what differs is shown and left alone. An import that was interrupted is simply run again.

  --user <id>        all rows are this user's
  --all              users too; each row is of the user whom its user_id or user_email names
  --into <kind>      every line is one of ${kinds.join('|')}
  --update           rows that differ are brought up to the fields that their lines name
  --only-new         rows that are there are not compared
  --dry-run          nothing is written; the report says what would be
  --keep-ids         rows keep their id and version, and are known by their id alone
  --keep-dates       rows keep created_at and updated_at
  --mapping <name>   the file is CSV: ${shopNames.join(', ')}, or a mapping of yours (JSON)
  --currency <code>  of the prices, where the CSV file does not say it
  --faults <file>    where to write every fault, when there are too many to print

DATABASE_URL, REDIS_URL and DATA_DIR say where to, as for the service.
Exit code: 0 all lines are in, 2 some lines were refused (each is reported with its number), 3 none was, but some differ from
what is there, 1 the import failed.`

export interface ImportArguments {
  readonly file: string
  /** `undefined`: of all users. */
  readonly userId: string | undefined
  readonly kind: Kind | undefined
  readonly existing: 'compare' | 'update' | 'keep'
  readonly isDryRun: boolean
  readonly kept: Kept
  readonly mapping: string | undefined
  readonly currency: string | undefined
  readonly faults: string | undefined
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const options = {
  user: text,
  all: flag,
  into: text,
  update: flag,
  'only-new': flag,
  'dry-run': flag,
  'keep-ids': flag,
  'keep-dates': flag,
  mapping: text,
  currency: text,
  faults: text,
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * The arguments of the import; `undefined` when help was asked for.
 * @throws Error that says what is wrong with them
 */
export function parseImportArguments(args: readonly string[]): ImportArguments | undefined {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options })
  if (values.help === true) return undefined
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0) throw new Error('Name one file to import (--help says how)')
  const isAll = values.all === true
  if (isAll && values.user !== undefined) throw new Error('Give --user or --all, not both')
  const userId = isAll ? undefined : (values.user?.toLowerCase() ?? '')
  if (userId !== undefined && !UUID.test(userId)) throw new Error('--user must be the id of a user: a UUID')
  const kind = kindNamed(values.into)
  if (values.into !== undefined && (kind === undefined || (kind === USERS && !isAll))) {
    throw new Error(`--into must be one of ${kinds.join(', ')}${isAll ? `, ${USERS}` : ''}`)
  }
  if (values.update === true && values['only-new'] === true) throw new Error('Give --update or --only-new, not both')
  const { mapping, currency, faults } = values
  if (currency !== undefined && !isCurrency(currency)) throw new Error('--currency must be a code such as EUR')
  if (currency !== undefined && mapping === undefined) throw new Error('--currency goes with --mapping')
  return {
    file,
    userId,
    kind,
    existing: values.update === true ? 'update' : values['only-new'] === true ? 'keep' : 'compare',
    isDryRun: values['dry-run'] === true,
    kept: { ids: values['keep-ids'] === true, dates: values['keep-dates'] === true },
    mapping,
    currency,
    faults,
  }
}
