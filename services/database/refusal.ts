import { CanNotStartError, codeOf, DatabaseUnavailableError, sqlState } from './errors.js'

/** Who may not come in (28), what is not there (3D, 3F), what may not be done (42), parameters (0A, 22) and rows (23, P0001) that do not fit. */
const LASTING_STATES = /^(?:28...|3D000|3F000|42...|0A...|22...|23...|P0001)$/

/** What a pooler says of the same in the class of broken connections. */
const POOLER_STATE = '08P01'
const POOLER_REFUSES = /password|authentication|no such (?:database|user)/i

/** Node's words for certificates and for a server that speaks no TLS. */
const TLS_CODES = /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/
const TLS_WORDS = /does not support SSL|SSL connection/i

/** pg_hba.conf has a line for connections with TLS only. */
const DEMANDS_TLS = /no encryption|SSL off/i

/**
 * Why a database will go on refusing until somebody changes something, and what to change; `undefined`: it may serve in a moment. A name
 * that is not known may be: private networks take seconds to know a new service.
 */
export function lastingRefusal(error: unknown): string | undefined {
  const cause = error instanceof DatabaseUnavailableError ? error.cause : error
  if (cause instanceof CanNotStartError) return cause.message
  const words = cause instanceof Error ? cause.message : String(cause)
  const state = sqlState(cause)
  if (TLS_CODES.test(codeOf(cause)) || (state === undefined && TLS_WORDS.test(words))) {
    return `The database and DATABASE_URL do not agree on TLS: correct sslmode, or the certificate (${words})`
  }
  if (state === undefined) return words.startsWith('SASL') ? refusesRole(words) : undefined
  if (DEMANDS_TLS.test(words))
    return `The database demands TLS, or does not let this user in from here: try sslmode=verify-full in DATABASE_URL (${words})`
  if (state === '3D000')
    return `The database that DATABASE_URL names is not there: create it, or correct the name (${words})`
  if (state.startsWith('28') || (state === POOLER_STATE && POOLER_REFUSES.test(words))) return refusesRole(words)
  return LASTING_STATES.test(state) ? `The database refuses: ${words} (${state})` : undefined
}

function refusesRole(words: string): string {
  return `The database refuses the user of DATABASE_URL: correct user and password (${words})`
}
