import { parseArgs } from 'node:util'
import { type Kind, kinds, recognised } from './targets.js'

export const usage = `Usage: npm run import -- <file.ndjson[.gz]> --user <id> [--into ${kinds.join('|')}]

Loads rows of one user, one JSON object per line, as the API takes them. What a line is, its fields tell (${recognised}),
unless --into says what all lines are. A row that the user has already, by that field, is left alone: an import that was
interrupted is simply run again.

DATABASE_URL, REDIS_URL and DATA_DIR say where to, as for the service.
Exit code: 0 all lines are in, 2 some lines were bad (each is reported with its number), 1 the import failed.`

export interface ImportArguments {
  readonly file: string
  readonly userId: string
  readonly kind: Kind | undefined
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The arguments of the import; `undefined` when help was asked for.
 * @throws Error that says what is wrong with them
 */
export function parseImportArguments(args: readonly string[]): ImportArguments | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { user: { type: 'string' }, into: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help === true) return undefined
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0) throw new Error('Name one file to import (--help says how)')
  const userId = values.user?.toLowerCase() ?? ''
  if (!UUID.test(userId)) throw new Error('--user must be the id of a user: a UUID')
  const kind = kinds.find((known) => known === values.into)
  if (values.into !== undefined && kind === undefined) throw new Error(`--into must be one of ${kinds.join(', ')}`)
  return { file, userId, kind }
}
