import { existsSync } from 'node:fs'
import type { Fault } from './fault.js'

/** Those that `pg` knows; it takes every other one for verify-full in silence. */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']
const SSL_FILES = ['sslrootcert', 'sslcert', 'sslkey']

const LAST_PORT = 65_535

/** `protocol://authority/path?query`, before anything is decoded. */
const PARTS = /^postgres(?:ql)?:\/\/([^/?#]*)(.*)$/s

/** What is wrong with the URL of a PostgreSQL server, at most one thing: what `pg` would misread, or find out too late. */
export function databaseUrlFaults(variable: string, value: string | undefined): Fault[] {
  const message = value === undefined ? undefined : databaseUrlFault(value)
  return message === undefined ? [] : [{ variable, message }]
}

/** Names of variables that hold the URL of a PostgreSQL server, or a part of one, and are not read. */
export function unreadDatabaseVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const isRead = (name: string): boolean => name === 'DATABASE_URL' || name === 'DATABASE_UNPOOLED_URL'
  const names = Object.keys(env).filter((name) => !isRead(name))
  return names.filter((name) => name === 'PGHOST' || PARTS.test(env[name]?.trim() ?? ''))
}

function databaseUrlFault(value: string): string | undefined {
  const [, authority, rest = ''] = PARTS.exec(value) ?? []
  if (authority === undefined) {
    return 'must begin with postgresql:// or postgres://; by a socket it is postgresql://user:password@/database?host=/its/folder'
  }
  // An unencoded # / or ? in a password cuts the URL short, and leaves a wrong host before it.
  const isCutShort = value.includes('#') || (!authority.includes('@') && rest.includes('@'))
  if (isCutShort || !isDecodable(value)) return NOT_ENCODED
  const query = new URLSearchParams(rest.split('?').slice(1).join('?'))
  const place = authority.slice(authority.lastIndexOf('@') + 1)
  return placeFault(place, query) ?? queryFault(query) ?? (isUrl(value) ? undefined : NOT_ENCODED)
}

const NOT_ENCODED = 'is not a valid URL: percent-encode special characters in the user and the password'

function placeFault(place: string, query: URLSearchParams): string | undefined {
  const host = query.get('host') || place.replace(/:[^:\]]*$/, '')
  // A reference that resolved to nothing leaves postgresql://postgres:secret@:5432/ behind.
  if (host === '') return 'has no host: if it is put together from references, one of them did not resolve'
  if (host.includes(',')) return 'names several hosts: name one, that of the primary or of a proxy that follows it'
  const ports = [/:([^:\]]+)$/.exec(place)?.[1], query.get('port')].filter((port) => port != null)
  if (ports.every(isPort)) return undefined
  return `names a port that is none: it must be a number from 1 to ${LAST_PORT}`
}

function queryFault(query: URLSearchParams): string | undefined {
  if (query.has('schema') || query.has('currentSchema')) {
    return 'has ?schema=, which is not read: take it out, and choose by: alter role <its role> set search_path = <schema>'
  }
  const mode = query.get('sslmode')
  if (mode !== null && !SSL_MODES.includes(mode)) return `has an sslmode that is none of ${SSL_MODES.join(', ')}`
  const missing = SSL_FILES.find((name) => query.has(name) && !existsSync(query.get(name) ?? ''))
  return missing === undefined ? undefined : `names a file in ${missing} that is not there`
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= LAST_PORT
}

/** `pg` takes a percent sign that encodes nothing for itself. What encodes no UTF-8 it throws at, later. */
function isDecodable(value: string): boolean {
  try {
    decodeURIComponent(value.replace(/%(?![\da-f]{2})/gi, '%25'))
    return true
  } catch {
    return false
  }
}

/** No host after user and password is right where the query names a socket. */
function isUrl(value: string): boolean {
  return URL.canParse(value.replace(/@(?=[/?]|$)/, '@localhost'))
}
