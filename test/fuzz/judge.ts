import { headerOf, type Exchange, type WireAnswer } from './connection.js'
import type { Cast, Sender, Shot } from './cast.js'
import { Documentation } from './documented.js'
import type { Operation } from './openapi.js'
import { HUSH, INJECTED } from './values.js'

/** What no answer tells: where the code is, what the database said, what lies in files. */
const INSIDES = [
  /node_modules|\bfile:\/\/\/|\/services\/|\/plugins\//,
  /\bat (async )?[\w.<>#]+ \(.*:\d+:\d+\)/,
  /syntax error at or near|violates \w+ constraint|duplicate key value|relation ".*" does not exist|invalid input syntax/,
  /root:x:0:|"@roundhouse\/service"/,
]

/** What plugins/http/errors.ts says of a value that no check stopped, but the database. */
const NAMELESS = 'A value is out of range or malformed'

/** What every answer of ours carries, whatever comes of the request. */
const ALWAYS: readonly (readonly [name: string, value: string])[] = [['x-content-type-options', 'nosniff']]

const LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*$/

export interface JudgeOptions {
  /** How long an answer may take now. */
  readonly limitMs: () => number
  /** Whether the service has too little time to do anything: it may say so with 503 and Retry-After. */
  readonly isStarved: () => boolean
}

/** The promises that are kept, or not, answer by answer. */
export class Judge {
  readonly #cast: Cast
  readonly #limitMs: () => number
  readonly #isStarved: () => boolean
  readonly #documentation: Documentation

  constructor(cast: Cast, operations: readonly Operation[], { limitMs, isStarved }: JudgeOptions) {
    this.#cast = cast
    this.#limitMs = limitMs
    this.#isStarved = isStarved
    this.#documentation = new Documentation(operations)
  }

  /** What is wrong with what came back; empty when nothing is. */
  faults(shot: Shot, { answers, rest, ms, isEnded }: Exchange): string[] {
    const { least, most } = shot.answers
    const faults = answers.flatMap((answer, index) => this.#ofAnswer(answer, shot, index))
    // What can't be read as a request is refused with a body even if it was to be a HEAD, on a connection that ends.
    const [last] = answers.slice(-1)
    const isAfterHead = shot.methods[answers.length - 1] === 'HEAD' && last?.status === 400 && isLast(last)
    if (rest !== '' && !isAfterHead) faults.push(`what came is not an answer: ${JSON.stringify(rest.slice(0, 100))}`)
    if (answers.length < least)
      faults.push(`${answers.length} answers to ${least} requests${isEnded ? ', and the end' : ''}`)
    if (answers.length > most) faults.push(`${answers.length} answers, at most ${most} are right`)
    if (answers.length > 0 && ms > this.#limitMs()) faults.push(`answered after ${Math.round(ms)} ms`)
    return faults
  }

  #ofAnswer(answer: WireAnswer, shot: Shot, index: number): string[] {
    const { status, lines, text } = answer
    const sender = shot.turns?.[index] ?? shot.sender
    const faults: string[] = []
    const isExcused = status === 503 && headerOf(answer, 'retry-after') !== '' && this.#isStarved()
    if (status >= 500 && !isExcused && !isOfCodings(answer)) faults.push(`status ${status}`)
    const allowed = shot.statuses ?? this.#documentation.statusesOf(shot.route)
    if (allowed !== undefined && status < 500 && !allowed.includes(status) && !isOfNoRoute(answer, shot))
      faults.push(`status ${status}, of ${allowed.join(', ')}`)
    if (status >= 400 && !isShaped(answer, shot.methods[index])) faults.push('not the one shape of errors')
    if (shot.methods.length === 1 && shot.methods[0] !== 'HEAD' && !isOfNoRoute(answer, shot))
      faults.push(...this.#documentation.faults(String(shot.pieces[0]), answer))
    for (const line of lines) if (!LINE.test(line)) faults.push(`a line of the head: ${JSON.stringify(line)}`)
    if (headerOf(answer, INJECTED) !== '') faults.push('a header that the caller has made')
    if (text.includes(NAMELESS)) faults.push('a refusal that does not name what it is about')
    for (const [name, value] of ALWAYS) if (headerOf(answer, name) !== value) faults.push(`${name} is not ${value}`)
    for (const owner of this.#othersThan(sender)) if (text.includes(owner.mark)) faults.push('a row of another tenant')
    for (const pattern of INSIDES) {
      const [told] = pattern.exec(text) ?? []
      if (told !== undefined && !isEcho(told, shot)) faults.push(`the answer tells of the inside: ${told}`)
    }
    return faults
  }

  /** Whose rows this caller must not get. Administrators see users, and an entry's name, but no rows. */
  #othersThan(sender: Sender) {
    const { alice, bob, victim } = this.#cast
    if (sender === 'admin' || sender === 'looker') return []
    return [alice, bob, victim].filter(
      (tenant) => sender !== (tenant === alice ? 'alice' : tenant === bob ? 'bob' : ''),
    )
  }
}

/** A path that does not exist is repeated in the answer. */
function isEcho(told: string, { pieces }: Shot): boolean {
  const asked = Buffer.concat(pieces).toString('latin1')
  return asked.includes(told) || asked.includes(encodeURIComponent(told))
}

function isShaped({ text, status, lines }: WireAnswer, method: string | undefined): boolean {
  if (method === 'HEAD') return true
  if (!headerOf({ lines }, 'content-type').startsWith('application/json')) return false
  const { statusCode, code, error, message, results, ...others } = JSON.parse(text) as Record<string, unknown>
  const texts = [code, error, message]
  return (
    statusCode === status &&
    texts.every((one) => typeof one === 'string' && one !== '') &&
    Object.keys(others).length === 0 &&
    (results === undefined || code === 'BULK_REFUSED')
  )
}

/** A spoiled path leads elsewhere, and some headers are refused wherever they come. */
function isLast(answer: WireAnswer): boolean {
  return headerOf(answer, 'connection').trim() === 'close'
}

/** The one answer from 500 on that says what is wrong with a request. */
function isOfCodings({ status, text }: Pick<WireAnswer, 'status' | 'text'>): boolean {
  return status === 501 && text.includes('"UNSUPPORTED_TRANSFER_CODING"')
}

function isOfNoRoute({ status, text }: WireAnswer, { methods }: Shot): boolean {
  if (methods[0] === 'OPTIONS') return true
  return (
    [404, 405, 408, 431].includes(status) ||
    (status === 400 && text.includes('"MALFORMED_REQUEST"')) ||
    isOfCodings({ status, text })
  )
}

/** What is in a log that must not be: each line is one record of JSON, and tells no secret. */
export function faultsOfLog(log: string, secrets: readonly string[]): string[] {
  const faults = new Set<string>()
  for (const line of log.split('\n')) {
    if (line === '') continue
    const record = recordOf(line)
    if (record === undefined) faults.add(`a line that is no record: ${line.slice(0, 200)}`)
    else if (record['level'] === 'error' || record['level'] === 'fatal') faults.add(`an error: ${line.slice(0, 1_000)}`)
    if (/\p{Cc}/u.test(line)) faults.add('a control character')
    if (line.includes(HUSH)) faults.add(`what a caller sent: ${line.slice(0, 500)}`)
    for (const secret of secrets) if (line.includes(secret)) faults.add(`a secret: ${line.slice(0, 500)}`)
  }
  return [...faults]
}

function recordOf(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
