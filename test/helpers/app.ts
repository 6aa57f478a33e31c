import { gunzipSync } from 'node:zlib'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import { type AppOptions, buildApp } from '../../app.js'
import { loadConfig } from '../../plugins/config.js'
import { createDatabase, postgresOfRun, templateOfRun } from './servers/databases.js'
import { preparedPgliteDir } from './pglite.js'

export const ADMIN_TOKEN = 'an-admin-token-of-the-tests-0123456789'

/** A machine that is busy with other tests may not get to a tail, or to Redis, within the default times; what depends on them says so itself. */
const CALM = {
  CACHE_STALENESS_BOUND_MS: '20000',
  REDIS_COMMAND_TIMEOUT_MS: '2000',
  DATABASE_QUEUE_MS: '20000',
  DATABASE_SILENCE_MS: '10000',
  MAX_LOOP_DELAY_MS: '60000',
  CACHE_VERIFY_SHARE: '0',
}

type Headers = Readonly<Record<string, string>>

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Unpacked. */
  readonly text: string
  /** The parsed body; `{}` when there is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
  readonly body: any
}

/** One caller: requests with their token, injected into the app. */
export class Caller {
  readonly #app: FastifyInstance
  readonly #headers: Headers

  constructor(app: FastifyInstance, token?: string) {
    this.#app = app
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  get(url: string, headers: Headers = {}): Promise<Answer> {
    return this.send({ method: 'GET', url, headers })
  }

  post(url: string, payload: object, headers: Headers = {}): Promise<Answer> {
    return this.send({ method: 'POST', url, payload, headers })
  }

  put(url: string, payload: object, headers: Headers = {}): Promise<Answer> {
    return this.send({ method: 'PUT', url, payload, headers })
  }

  patch(url: string, payload: object, headers: Headers = {}): Promise<Answer> {
    return this.send({ method: 'PATCH', url, payload, headers })
  }

  delete(url: string, headers: Headers = {}): Promise<Answer> {
    return this.send({ method: 'DELETE', url, headers })
  }

  async send(options: InjectOptions): Promise<Answer> {
    const response = await this.#app.inject({ ...options, headers: { ...this.#headers, ...options.headers } })
    const isPacked = response.headers['content-encoding'] === 'gzip' && response.body !== ''
    const text = isPacked ? gunzipSync(response.rawPayload).toString() : response.body
    const isJson = String(response.headers['content-type']).startsWith('application/json') && text !== ''
    const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
    return { status: response.statusCode, headers, text, body: isJson ? JSON.parse(text) : {} }
  }
}

/** A user made for one test, with a token. */
export class UserCaller extends Caller {
  constructor(
    app: FastifyInstance,
    readonly id: string,
    readonly token: string,
  ) {
    super(app, token)
  }
}

export interface TestService {
  readonly app: FastifyInstance
  readonly admin: Caller
  readonly anonymous: Caller
  newUser(): Promise<UserCaller>
}

export interface ServiceOptions extends AppOptions {
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>
  /** The test is about the embedded database, or begins to follow changes: on PostgreSQL that waits for the staleness bound. */
  readonly isEmbedded?: boolean
}

/**
 * The app that production runs, on a migrated database of this test's own; closed when the test ends. Where neither `DATABASE_URL`
 * nor `DATA_DIR` is set, that is one of the run's PostgreSQL, and without one (a single file, a machine without servers) the
 * embedded database: its start takes ten times the processor time.
 */
export async function startService(
  t: Test,
  { env = {}, isEmbedded = false, ...options }: ServiceOptions = {},
): Promise<TestService> {
  const database =
    env['DATABASE_URL'] === undefined && env['DATA_DIR'] === undefined ? await databaseOf(t, { isEmbedded }) : {}
  const config = loadConfig({ ...CALM, ADMIN_TOKENS: ADMIN_TOKEN, ...database, ...env })
  const app = await buildApp(config, { logLevel: 'silent', ...options })
  t.teardown(() => app.close())
  const admin = new Caller(app, ADMIN_TOKEN)
  let users = 0
  return {
    app,
    admin,
    anonymous: new Caller(app),
    async newUser() {
      const { body: user } = await admin.post('/api/users', {
        email: `user${++users}@example.com`,
        shop_name: 'A shop',
      })
      const { body: issued } = await admin.post(`/api/users/${user.id}/tokens`, { name: 'test' })
      return new UserCaller(app, user.id, issued.token)
    },
  }
}

/** The environment of a migrated database of this test's own, as {@link startService} has it. */
export async function databaseOf(t: Test, { isEmbedded = false } = {}): Promise<Record<string, string>> {
  const server = isEmbedded ? undefined : postgresOfRun()
  if (server === undefined) return { DATA_DIR: await preparedPgliteDir() }
  return { DATABASE_URL: await createDatabase(t, server, templateOfRun()) }
}
