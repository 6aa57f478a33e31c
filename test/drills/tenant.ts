import { setTimeout as sleep } from 'node:timers/promises'
import { newDesign, nextCounter } from './catalogue.js'
import { type HttpAnswer, HttpConnection, type HttpRequest, NoAnswerError } from '../helpers/http-connection.js'
import { increment, type Ledger, stateOf } from './ledger.js'
import type { Seeded } from '../helpers/seeded.js'

export interface TenantOptions {
  readonly ports: readonly number[]
  readonly adminToken: string
  readonly ledger: Ledger
  readonly random: Seeded
  readonly boundMs: number
  readonly isStopped: () => boolean
  /** Awaited before each request; without it one follows the other. */
  readonly pace?: () => Promise<unknown>
}

const POLL_PAUSE_MS = 15
/** Requests per replica, begun more than H after the change, that must have been judged before the next change. */
const JUDGED_POLLS = 3
const RETRY_MS = 100

/**
 * What a status says of the token; others say nothing. A 404 is about the document: the token was let in. Nor does an answer that is
 * marked: a replica cut off from all news says by it that it could not look.
 */
const VERDICTS: Partial<Record<number, 'accepted' | 'refused'>> = {
  200: 'accepted',
  404: 'accepted',
  401: 'refused',
  403: 'refused',
}

type Endpoint = { readonly index: number; readonly connection: HttpConnection }

/**
 * One user whose tokens come and go: revoked, deactivated, deleted, while requests with the token go on to every
 * replica. Once a change was acknowledged more than H before a request began, no replica may answer as before it.
 */
export class Tenant {
  readonly #options: TenantOptions
  readonly #endpoints: readonly Endpoint[]
  #userId = ''
  #designId = ''
  #mainToken = ''
  /** Changes made, by kind. */
  readonly done: Record<string, number> = {}

  constructor(options: TenantOptions) {
    this.#options = options
    this.#endpoints = options.ports.map((port, index) => ({ index, connection: new HttpConnection(port) }))
  }

  async run(): Promise<void> {
    while (!this.#options.isStopped()) await this.#round()
    for (const { connection } of this.#endpoints) connection.close()
  }

  async #round(): Promise<void> {
    const { adminToken, random } = this.#options
    const asAdmin = { token: adminToken }
    if (this.#userId === '') await this.#newUser()
    if (this.#userId === '') return
    const tokens = `/api/users/${this.#userId}/tokens`
    const issued = await this.#insist(
      { method: 'POST', path: tokens, token: this.#mainToken, body: { name: 'spare' } },
      201,
    )
    if (issued === undefined) return
    const { id, token } = JSON.parse(issued.text) as { id: string; token: string }
    await this.#watch(token, true, issued.endedAt)

    const dice = random.next()
    const user = `/api/users/${this.#userId}`
    if (dice < 0.6) {
      await this.#change(
        'token revoked',
        { method: 'DELETE', path: `${tokens}/${id}`, token: this.#mainToken },
        token,
        false,
      )
    } else if (dice < 0.85) {
      const patch = { method: 'PATCH', path: user, ...asAdmin } as const
      await this.#change('user deactivated', { ...patch, body: { is_active: false } }, token, false)
      await this.#change('user activated', { ...patch, body: { is_active: true } }, token, true)
      await this.#insist({ method: 'DELETE', path: `${tokens}/${id}`, token: this.#mainToken }, 204)
    } else {
      await this.#change('user deleted', { method: 'DELETE', path: user, ...asAdmin }, token, false)
      this.#userId = ''
    }
  }

  /** Makes a change and watches until every replica has been seen to follow it. */
  async #change(kind: string, request: HttpRequest, token: string, isAccepted: boolean): Promise<void> {
    const answer = await this.#insist(request, 200, 204, 404)
    if (answer === undefined) return
    increment(this.done, kind)
    await this.#watch(token, isAccepted, answer.endedAt, kind)
  }

  async #watch(token: string, isAccepted: boolean, since: number, kind = 'token made'): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => this.#watchOn(endpoint, { token, isAccepted, since, kind })))
  }

  async #watchOn(
    { index, connection }: Endpoint,
    { token, isAccepted, since, kind }: { token: string; isAccepted: boolean; since: number; kind: string },
  ): Promise<void> {
    const { ledger, boundMs, isStopped } = this.#options
    // A new token has nothing to come after: it is watched only until it is cached everywhere.
    const patienceMs = kind === 'token made' ? 0 : boundMs
    let judged = 0
    while (judged < JUDGED_POLLS && !isStopped()) {
      const path = `/api/designs/${this.#designId}`
      const answer = await this.#send(connection, 'auth', { method: 'GET', path, token })
      const isMarked = answer?.header('cache-status')?.includes('stale-if-error') === true
      const verdict = isMarked ? undefined : VERDICTS[answer?.status ?? 0]
      if (answer !== undefined && verdict !== undefined) {
        const isOld = (verdict === 'accepted') !== isAccepted
        const ageMs = answer.begunAt - since
        if (ageMs > patienceMs) judged += 1
        if (!isAccepted) ledger.judgedAuth(isOld ? Math.max(0, ageMs) : 0)
        if (isOld && ageMs > boundMs) this.#violated(index, { kind, path, ageMs, isAccepted }, answer)
      }
      await sleep(POLL_PAUSE_MS)
    }
  }

  #violated(
    replica: number,
    { kind, path, ageMs, isAccepted }: { kind: string; path: string; ageMs: number; isAccepted: boolean },
    answer: HttpAnswer,
  ): void {
    const { status } = answer
    const [replicaState, cacheStatus] = [stateOf(answer), answer.header('cache-status')]
    const what = isAccepted ? 'a valid token refused' : 'a token accepted beyond the bound'
    const detail = `${kind}, acknowledged ${ageMs.toFixed(1)} ms before the request began, answered ${status}`
    const violation = { kind: what, replica, request: path, replicaState, cacheStatus, staleMs: ageMs, detail }
    this.#options.ledger.violated(violation, answer)
  }

  async #newUser(): Promise<void> {
    const { adminToken: token } = this.#options
    const email = `tenant-${nextCounter()}@example.com`
    const made = await this.#insist(
      { method: 'POST', path: '/api/users', token, body: { email, shop_name: 'T' } },
      201,
      409,
    )
    if (made?.status !== 201) return
    const { id } = JSON.parse(made.text) as { id: string }
    const main = await this.#insist(
      { method: 'POST', path: `/api/users/${id}/tokens`, token, body: { name: 'main' } },
      201,
    )
    if (main === undefined) return
    this.#mainToken = (JSON.parse(main.text) as { token: string }).token
    const body = newDesign(nextCounter())
    const design = await this.#insist({ method: 'POST', path: '/api/designs', token: this.#mainToken, body }, 201)
    if (design === undefined) return
    this.#designId = (JSON.parse(design.text) as { id: string }).id
    this.#userId = id
  }

  /** Sends it to one replica after the other until one of these statuses is the answer; `undefined` once the drill ends. */
  async #insist(request: HttpRequest, ...statuses: number[]): Promise<HttpAnswer | undefined> {
    while (!this.#options.isStopped()) {
      const { connection } = this.#options.random.pick(this.#endpoints)
      const answer = await this.#send(connection, 'account', request)
      if (answer !== undefined && statuses.includes(answer.status)) return answer
      await sleep(RETRY_MS)
    }
    return undefined
  }

  async #send(connection: HttpConnection, kind: string, request: HttpRequest): Promise<HttpAnswer | undefined> {
    const { ledger, pace } = this.#options
    await pace?.()
    const begunIn = ledger.phases
    try {
      const answer = await connection.send(request)
      ledger.answered(kind, answer, begunIn)
      return answer
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error
      ledger.failed(kind, error.kind, begunIn)
      return undefined
    }
  }
}
