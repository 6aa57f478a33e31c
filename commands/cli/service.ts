import { readFileSync } from 'node:fs'
import { text as textOf } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import type { CliContext } from './context.js'
import { CliError, EXIT } from './faults.js'

const DEFAULT_URL = 'http://127.0.0.1:3000'
/** Longer than what the service itself waits for a database. */
const TIMEOUT_MS = 30_000
const EVENT_STREAM = 'text/event-stream'

export interface ServiceOptions {
  readonly url?: string | undefined
  readonly tokenFile?: string | undefined
}

export interface Asked {
  readonly method?: string
  readonly body?: object
  /** Statuses whose answer may be what was asked for, beside those of 200 to 299. */
  readonly accepts?: readonly number[]
}

interface Sent extends Asked {
  readonly headers?: Readonly<Record<string, string>>
  /** In place of the time limit. */
  readonly signal?: AbortSignal
}

// oxlint-disable-next-line typescript/no-explicit-any -- bodies of every shape; a command knows which one it asked for
export type Body = any

/** A service that runs, over HTTP. */
export class Service {
  readonly #base: URL
  readonly #token: string | undefined

  constructor(base: URL, token: string | undefined) {
    this.#base = base
    this.#token = token
  }

  /**
   * The parsed body.
   * @param field one that this answer has. What lacks it is of another program, which says yes to anything
   */
  async ask(path: string, field: string, { accepts = [], ...asked }: Asked = {}): Promise<Body> {
    const response = await this.#fetch(path, asked)
    const { ok: isOk, status } = response
    if (!isOk && !accepts.includes(status)) throw await this.#refusal(response)
    const text = await response.text().catch((error: unknown) => this.#unreachable(error))
    const body = parsed(text)
    if (typeof body === 'object' && body !== null && field in body) return body
    throw isOk ? this.#isAnother() : this.#refusalIn(status, text)
  }

  /** For what is answered without a body. */
  async tell(path: string, asked: Asked): Promise<void> {
    const response = await this.#fetch(path, asked)
    if (!response.ok) throw await this.#refusal(response)
    await response.body?.cancel()
    if (response.status !== 204) throw this.#isAnother()
  }

  /** Server-sent events, until `signal` says stop: they have no time limit. */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const response = await this.#fetch(path, { headers: { ...headers, accept: EVENT_STREAM }, signal })
    if (!response.ok) throw await this.#refusal(response)
    if (response.headers.get('content-type')?.startsWith(EVENT_STREAM) === true) return response
    await response.body?.cancel()
    throw this.#isAnother()
  }

  #fetch(path: string, { method = 'GET', body, headers, signal }: Sent): Promise<Response> {
    return fetch(new URL(path, this.#base), {
      method,
      // A redirect would take the token to who knows where.
      redirect: 'manual',
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        ...headers,
      },
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => this.#unreachable(error))
  }

  async #refusal(response: Response): Promise<CliError> {
    const { status } = response
    const text = await response.text().catch(() => '')
    if (status >= 300 && status < 400) {
      return new CliError(`${this.#base.origin} redirects to ${response.headers.get('location')}: give that as --url`)
    }
    return this.#refusalIn(status, text)
  }

  #refusalIn(status: number, text: string): CliError {
    const fault = errorIn(text)
    if (fault === undefined) return this.#isAnother(status)
    const isAboutToken = status === 401 || status === 403
    const hint =
      status === 401 && this.#token === undefined
        ? '. Set ROUNDHOUSE_TOKEN, or give --token-file (outside production an administrator’s is in .data/admin-token)'
        : ''
    return new CliError(
      `${fault.message} (${status} ${fault.code})${hint}`,
      isAboutToken ? EXIT.notAllowed : EXIT.failed,
      fault.code,
    )
  }

  #isAnother(status?: number): CliError {
    const answer = status === undefined ? '' : `${status}, and `
    const message = `${this.#base.origin} answers ${answer}not as the service does: is --url right?`
    return new CliError(message, EXIT.unreachable)
  }

  #unreachable(error: unknown): never {
    if (error instanceof Error && error.name === 'AbortError') throw error
    throw new CliError(
      `The service at ${this.#base.origin} does not answer (${reasonOf(error)}): is it up, and is --url or ROUNDHOUSE_URL right?`,
      EXIT.unreachable,
    )
  }
}

/** The service that the options and the environment name. `-` as the token file is the standard input. */
export async function openService(context: CliContext, { url, tokenFile }: ServiceOptions): Promise<Service> {
  const environment = await context.environment()
  const token = tokenFile === undefined ? environment.token : await readToken(tokenFile, context.stdin)
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new CliError('The token is no token: it has a space, a line break or a letter that none has', EXIT.usage)
  }
  return new Service(baseOf(url ?? environment.url ?? DEFAULT_URL), token)
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** An id as a part of a path. Checked here: `..` would lead to another route, such as the one that clears everything. */
export function idOf(kind: string, id: string): string {
  if (!UUID.test(id)) throw new CliError(`The ${kind} must be named by its id: a UUID`, EXIT.usage)
  return id
}

function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CliError('--url must be like http://127.0.0.1:3000', EXIT.usage)
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CliError('--url must have no user, query or fragment: the token goes into ROUNDHOUSE_TOKEN', EXIT.usage)
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

async function readToken(path: string, stdin: Readable): Promise<string> {
  let text: string
  try {
    text = path === '-' ? await textOf(stdin) : readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(`--token-file can not be read (${reasonOf(error)})`, EXIT.usage)
  }
  if (text.trim() === '') throw new CliError('--token-file is empty', EXIT.usage)
  return text.trim()
}

function errorIn(text: string): { readonly code: string; readonly message: string } | undefined {
  const body = parsed(text)
  return typeof body?.code === 'string' && typeof body.message === 'string' ? body : undefined
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** fetch says "fetch failed"; the cause says why. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer in ${TIMEOUT_MS / 1000} s`
  if (error.cause instanceof Error) return reasonOf(error.cause)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return code === '' ? error.message : error.message.includes(code) ? error.message : `${code} ${error.message}`.trim()
}
