import createError from '@fastify/error'

/**
 * The database can't be reached, or refuses for a reason that passes: it is shutting down, has no room for another connection, ended
 * what took too long, or had to let one of two transactions go. The statement may have run all the same. `cause` holds what
 * the driver said. Without a stack of its own: in a flood of refusals it would cost more than they do.
 */
export const DatabaseUnavailableError = createError<
  'DATABASE_UNAVAILABLE',
  503,
  [reason: string, options?: { cause: unknown }]
>('DATABASE_UNAVAILABLE', 'The database can not serve this now: %s', 503, Error, false)

/** What keeps the service from starting until somebody changes something: `message` is one line that says what. */
export class CanNotStartError extends Error {
  override readonly name = 'CanNotStartError'
}

/** What both drivers make of an error that the server itself reported. */
interface ServerError extends Error {
  readonly code: string
  readonly severity: string
}

/** The `code` of an error, of Node's (`ENOSPC`) or anybody's; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** The severity sets a SQLSTATE apart from Node's codes: `EPIPE` has five letters too. */
function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    'severity' in error &&
    typeof error.severity === 'string' &&
    'code' in error &&
    typeof error.code === 'string'
  )
}

/** The SQLSTATE of an error that the database reported (`23505`: a unique index refused the row), else `undefined`. */
export function sqlState(error: unknown): string | undefined {
  return isServerError(error) ? error.code : undefined
}

/** What the row refers to is not there, or no longer. */
export function isForeignKeyViolation(error: unknown): boolean {
  return sqlState(error) === '23503'
}

/** The constraint or the unique index that refused a row, by its name; `undefined` for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!isServerError(error) || !error.code.startsWith('23')) return undefined
  return 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : undefined
}

/**
 * What passes by itself, so that the same request is likely to succeed a moment later. Classes: connection exceptions (08), transaction
 * rollback (40: serialization, deadlock), out of resources (53), system errors (58). Single ones: a primary that became a standby
 * (25006), an idle or a long transaction ended (25P03, 25P04), a lock not granted in time (55P03), a statement past its limit (57014),
 * and shutdown, crash, start-up, a dropped database or an idle session ended (57P01 to 57P05).
 */
const PASSING = /^(?:08...|40...|53...|58...|25006|25P0[34]|55P03|57014|57P0[1-5])$/

/** Whether an error of the database with this SQLSTATE passes by itself. */
export function isPassing(state: string): boolean {
  return PASSING.test(state)
}

/** Whether the database let this transaction go because it and another one waited for each other: nothing of it is written. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof Error && sqlState(error.cause) === DEADLOCK
}

const DEADLOCK = '40P01'

/** Mistakes of the caller that a driver notices itself, such as a circular object for a JSON column. */
function isCallersMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
}

/**
 * Whether the connection that raised `error` may go back to the pool: only after an ordinary error of the server,
 * which leaves the protocol in step. After a time-out the late answer would be read as the next query's.
 */
export function leavesConnectionUsable(error: unknown): boolean {
  return isServerError(error) && error.severity === 'ERROR' && error.code !== '25006'
}

/** Turns what a driver threw while running a statement into what the seam promises to throw. */
export function toSeamError(error: unknown): unknown {
  if (error instanceof DatabaseUnavailableError || isCallersMistake(error)) return error
  const state = sqlState(error)
  return state === undefined || isPassing(state) ? unavailable(error) : error
}

/** For a failed connection attempt: whatever the reason, there is no database to ask. */
export function unavailable(cause: unknown): InstanceType<typeof DatabaseUnavailableError> {
  if (cause instanceof DatabaseUnavailableError) return cause
  return new DatabaseUnavailableError(reasonOf(cause), { cause })
}

/** An AggregateError (one failure per address of a name) has an empty message; its code says it. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.message) return cause.message
  return 'code' in cause ? String(cause.code) : cause.name
}
