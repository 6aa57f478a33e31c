import { setTimeout as sleep } from 'node:timers/promises'
import { type DesignBody, DOCUMENTS_PER_SHOP, newDesign, nextCounter, seenIn, type Shop } from './catalogue.js'
import type { DocumentHistory, Seen } from './history.js'
import { type HttpAnswer, HttpConnection, type HttpRequest, NoAnswerError } from '../helpers/http-connection.js'
import { type Ledger, stateOf } from './ledger.js'
import type { Seeded } from '../helpers/seeded.js'

/** Parts of all operations, in percent; reads of one document are the rest. */
const SHARE = { createOrDelete: 0.6, update: 3, list: 4, ids: 5, readDeleted: 1 }
const IDS_PER_READ = 8
/** After no answer, so that a replica that is down is not asked thousands of times. */
const PAUSE_MS = 50

export interface WorkerOptions {
  readonly replica: number
  readonly port: number
  readonly shops: readonly Shop[]
  readonly ledger: Ledger
  readonly random: Seeded
  readonly boundMs: number
  readonly isStopped: () => boolean
  /** Instead of one that is kept alive to `port`. */
  readonly connection?: Pick<HttpConnection, 'send' | 'close'>
  /** Awaited before each request; without it one follows the other. */
  readonly pace?: () => Promise<unknown>
}

/** One client of one replica: reads and writes one after the other, and checks every answer. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #connection: Pick<HttpConnection, 'send' | 'close'>
  /** What was going on when the request under way was sent. */
  #begunIn: readonly string[] = []

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#connection = options.connection ?? new HttpConnection(options.port)
  }

  async run(): Promise<void> {
    const { isStopped, pace } = this.#options
    while (!isStopped()) {
      await pace?.()
      if (!(await this.#step())) await sleep(PAUSE_MS)
    }
    this.#connection.close()
  }

  /** Whether there was an answer that was no failure. */
  #step(): Promise<boolean> {
    const { random, shops } = this.#options
    const shop = random.pick(shops)
    const { present, deleted } = shop
    // Some documents are much hotter than others.
    const history = present[Math.floor(random.next() ** 2 * present.length)]
    let dice = 100 * random.next()
    const isIn = (share: number): boolean => (dice -= share) < 0
    if (history === undefined || isIn(SHARE.createOrDelete)) {
      return present.length < DOCUMENTS_PER_SHOP || history === undefined
        ? this.#create(shop)
        : this.#delete(shop, history)
    }
    if (isIn(SHARE.update)) return this.#update(shop, history)
    if (isIn(SHARE.list)) return this.#list(shop)
    if (isIn(SHARE.ids)) return this.#readMany(shop, present)
    return this.#read(shop, isIn(SHARE.readDeleted) ? (deleted.at(-1) ?? history) : history)
  }

  async #read(shop: Shop, history: DocumentHistory): Promise<boolean> {
    const answer = await this.#send('read', { method: 'GET', path: `/api/designs/${history.id}`, token: shop.token })
    if (answer === undefined || !this.#isLetIn(shop, answer)) return false
    if (answer.status !== 200 && answer.status !== 404) return false
    const body = answer.status === 200 ? (JSON.parse(answer.text) as DesignBody) : undefined
    this.#judge('read', history, body && seenIn(body), answer)
    return true
  }

  async #list(shop: Shop): Promise<boolean> {
    const answer = await this.#send('list', { method: 'GET', path: '/api/designs?limit=100', token: shop.token })
    if (answer === undefined || !this.#isLetIn(shop, answer) || answer.status !== 200) return false
    const { items } = JSON.parse(answer.text) as { items: DesignBody[] }
    const found = new Map(items.map((item) => [item.id, item]))
    for (const item of items) if (!shop.documents.has(item.id)) this.#meet(shop, item, answer)
    for (const history of shop.documents.values()) {
      const item = found.get(history.id)
      if (item !== undefined || !history.isDeleted) this.#judge('list', history, item && seenIn(item), answer)
    }
    return true
  }

  async #readMany(shop: Shop, present: readonly DocumentHistory[]): Promise<boolean> {
    const asked = this.#options.random.shuffled(present).slice(0, IDS_PER_READ)
    const path = `/api/designs?ids=${asked.map(({ id }) => id).join()}`
    const answer = await this.#send('ids', { method: 'GET', path, token: shop.token })
    if (answer === undefined || !this.#isLetIn(shop, answer) || answer.status !== 200) return false
    const { items } = JSON.parse(answer.text) as { items: DesignBody[] }
    for (const history of asked) {
      const item = items.find(({ id }) => id === history.id)
      this.#judge('ids', history, item && seenIn(item), answer)
    }
    return true
  }

  async #update(shop: Shop, history: DocumentHistory): Promise<boolean> {
    const counter = nextCounter()
    history.sent(counter)
    const path = `/api/designs/${history.id}`
    const body = { description: counter }
    const answer = await this.#send('update', { method: 'PATCH', path, token: shop.token, body })
    if (answer === undefined || !this.#isLetIn(shop, answer)) return false
    if (answer.status === 200) history.acknowledge(answer.endedAt, seenIn(JSON.parse(answer.text) as DesignBody))
    else if (answer.status < 500) history.refused(counter)
    if (answer.status === 404 && !history.isDeletionSent) this.#violated('a write finds no row', 'update', answer)
    return answer.status < 500
  }

  async #create(shop: Shop): Promise<boolean> {
    const counter = nextCounter()
    shop.creating.add(counter)
    const body = newDesign(counter)
    const answer = await this.#send('create', { method: 'POST', path: '/api/designs', token: shop.token, body })
    if (answer === undefined || !this.#isLetIn(shop, answer)) return false
    if (answer.status === 201) shop.created(JSON.parse(answer.text) as DesignBody, answer.endedAt)
    return answer.status === 201
  }

  async #delete(shop: Shop, history: DocumentHistory): Promise<boolean> {
    shop.deletionSent(history)
    const path = `/api/designs/${history.id}`
    const answer = await this.#send('delete', { method: 'DELETE', path, token: shop.token })
    if (answer === undefined || !this.#isLetIn(shop, answer)) return false
    if (answer.status === 204) history.acknowledgeDeletion(answer.endedAt)
    return answer.status < 500
  }

  /** A document that a list shows before its creation was acknowledged, if it ever was. */
  #meet(shop: Shop, item: DesignBody, answer: HttpAnswer): void {
    if (shop.creating.has(item.description)) shop.created(item, answer.endedAt)
    else this.#violated('a list shows a document that nobody made', `list ${item.id} "${item.description}"`, answer)
  }

  #judge(kind: string, history: DocumentHistory, seen: Seen | undefined, answer: HttpAnswer): void {
    const { ledger, boundMs } = this.#options
    const flaw = seen && history.flaw(seen)
    if (flaw !== undefined) this.#violated(flaw, `${kind} ${history.id} ${JSON.stringify(seen)}`, answer)
    const staleMs = history.stalenessMs(seen, answer.begunAt)
    const isAdmitted = answer.header('cache-status').includes('detail=stale-if-error')
    ledger.judged(staleMs, isAdmitted, this.#begunIn)
    if (staleMs <= boundMs || isAdmitted) return
    const missed = history.firstMissed(seen)
    const detail = `answered ${JSON.stringify(seen ?? 'no row')}, misses ${JSON.stringify(missed)}, now ${performance.now()}`
    this.#violated('a read beyond the bound', `${kind} ${history.id}`, answer, { staleMs, detail })
  }

  /** The tokens of shops are never revoked: a refusal is as wrong as an old answer. */
  #isLetIn(shop: Shop, answer: HttpAnswer): boolean {
    if (answer.status !== 401 && answer.status !== 403) return true
    this.#violated('a valid token refused', `user ${shop.userId}`, answer)
    return false
  }

  async #send(kind: string, request: HttpRequest): Promise<HttpAnswer | undefined> {
    const { ledger } = this.#options
    this.#begunIn = ledger.phases
    try {
      const answer = await this.#connection.send(request)
      ledger.answered(kind, answer, this.#begunIn)
      return answer
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error
      ledger.failed(kind, error.kind, this.#begunIn)
      return undefined
    }
  }

  #violated(
    kind: string,
    request: string,
    answer: HttpAnswer,
    { staleMs = 0, detail = answer.text.slice(0, 300) } = {},
  ): void {
    const { replica, ledger } = this.#options
    const [replicaState, cacheStatus] = [stateOf(answer), answer.header('cache-status')]
    ledger.violated({ kind, replica, request, replicaState, cacheStatus, staleMs, detail }, answer)
  }
}
