import { EVERYTHING } from '../../services/cache/core/heard.js'
import type { Provenance } from '../../services/cache/core/knowledge.js'
import { sees, type Snapshot } from '../../services/cache/core/snapshot.js'
import { Database } from './database.js'
import type { Fault } from './faults.js'
import { type DocumentTags, type Flight, type Kept, Replica, type Stored, type TailUnderWay } from './replica.js'
import { type Budgets, seedOf, type Setup } from './setups.js'

/** What never changes in a run. */
export interface Plan {
  readonly setup: Setup
  readonly seed: number
  readonly specs: readonly (readonly (readonly string[])[])[]
  readonly documents: readonly DocumentTags[]
  /** For each document the set of writes that change it. */
  readonly relevant: readonly number[]
  /** All tags, `*` among them. */
  readonly tags: readonly string[]
  readonly fault: Fault | undefined
  /**
   * All states are to be looked at: the world can be cloned, and a load reads the database the moment it begins. That is the
   * worst moment, since what is read later shows more, and nothing else depends on what was read.
   */
  readonly isSearch: boolean
}

export function planOf(
  setup: Setup,
  options: { readonly fault?: Fault | undefined; readonly isSearch: boolean },
): Plan {
  const seed = seedOf(setup)
  const { heard } = new Replica({ slots: setup.slots, seed }, [], false).knowledge
  const documents = setup.documents.map((text) => {
    const [named = [], found = []] = text.split('+').map((letters) => letters.split(''))
    const all = [...named, ...found]
    return { named, found, all, namedSlots: heard.slotsOf(named), allSlots: heard.slotsOf(all) }
  })
  const specs = setup.writes.map((text) => text.split('+').map((letters) => letters.split('')))
  const relevant = documents.map(({ all }) =>
    specs.reduce(
      (set, rows, n) => (rows.flat().some((t) => t === EVERYTHING || all.includes(t)) ? set | (1 << n) : set),
      0,
    ),
  )
  const tags = [...new Set([EVERYTHING, ...specs.flat(2), ...documents.flatMap(({ all }) => all)])]
  return { setup, seed, specs, documents, relevant, tags, fault: options.fault, isSearch: options.isSearch }
}

/** Postgres, Redis and the replicas at one moment; `steps.ts` says what can happen next. */
export class World {
  readonly plan: Plan
  readonly fault: Fault | undefined
  database: Database
  replicas: Replica[]
  redis: readonly Stored[]
  /** An old copy of Redis. */
  saved: readonly Stored[]
  left: Budgets
  /** A stale answer, in words: the run is over. */
  broken: string | undefined

  constructor(plan: Plan, from?: World) {
    this.plan = plan
    this.fault = plan.fault
    this.left = from?.left ?? plan.setup.budgets
    this.database = from?.database.clone() ?? new Database(plan.specs, plan.fault)
    this.replicas = from?.replicas.map((replica) => replica.clone()) ?? this.#newReplicas()
    this.redis = from?.redis ?? []
    this.saved = from?.saved ?? []
    if (from === undefined) this.#storeEvery()
  }

  #newReplicas(): Replica[] {
    const { setup, seed, documents, isSearch } = this.plan
    return Array.from({ length: setup.replicas }, () => new Replica({ slots: setup.slots, seed }, documents, isSearch))
  }

  replica(number: number): Replica {
    const replica = this.replicas[number]
    if (replica === undefined) throw new Error(`No replica ${number}`)
    return replica
  }

  use(budget: keyof Budgets): void {
    this.left = { ...this.left, [budget]: this.left[budget] - 1 }
  }

  // What happens in the database and on the way from it

  acknowledge(number: number): void {
    const { replica: by } = this.database.write(number)
    this.database.acknowledge(number)
    const replica = this.replica(by)
    if (this.fault !== 'own write gives no hint') replica.hint(this.database.tagsOf(number))
    replica.own |= 1 << number
  }

  commit(number: number): void {
    this.database.commit(number)
    if (!this.plan.setup.isAnnounced) return
    for (const replica of this.replicas) replica.coming |= 1 << number
  }

  announced(replica: Replica, number: number): void {
    const tags = this.database.tagsOf(number)
    if (this.fault !== 'announcement believed') return replica.hint(tags)
    const { id } = this.database.write(number)
    const [answer, changes] = [this.database.answer(this.database.snapshot), [{ transaction: id, tags }]]
    replica.believe({ ...answer, changes })
  }

  crash(losses: number): void {
    this.database.crash(losses)
    for (const replica of this.replicas) replica.coming &= ~this.database.lost
  }

  // Tails

  beginTail(replica: Replica, from: Snapshot): void {
    if (this.fault !== 'tail told of when it ends') replica.tailBegan()
    replica.tail = { answer: this.database.answer(from), snapshot: this.database.snapshot, need: this.database.visible }
    if (replica.waiting?.state === 'waiting') replica.waiting = { ...replica.waiting, state: 'served' }
  }

  endTail(replica: Replica, { isTooBig }: { readonly isTooBig: boolean }): void {
    const tail = replica.tail
    if (tail === undefined) return
    if (this.fault === 'tail told of when it ends') replica.tailBegan()
    replica.tail = undefined
    this.#take(replica, tail, isTooBig)
  }

  failTail(replica: Replica): void {
    if (this.fault === 'tail told of when it ends') replica.tailBegan()
    replica.tailFailed()
    if (this.fault === 'late tail taken') replica.lateTail = replica.tail
    replica.tail = undefined
    if (replica.waiting?.state === 'served') replica.waiting = { ...replica.waiting, state: 'unsettled' }
  }

  takeLate(replica: Replica): void {
    const tail = replica.lateTail
    replica.lateTail = undefined
    if (tail !== undefined) this.#take(replica, tail, false)
  }

  #take(replica: Replica, tail: TailUnderWay, isTooBig: boolean): void {
    const { waiting } = replica
    const hasLate = replica.hintedSince.size > 0
    const isTwo = this.fault === 'tail in two statements'
    const snapshot = isTwo ? this.database.snapshot.text : tail.answer.snapshot
    replica.take({ ...tail.answer, snapshot, changes: isTooBig ? undefined : tail.answer.changes })
    replica.need = tail.need
    // What a mutation can take away beside safety: hints are answered, and what is read now can be kept.
    const { knowledge } = replica
    if (!hasLate && !knowledge.hints.isEmpty) this.broken ??= 'a tail left a hint that had come before it'
    const provenance = knowledge.provenance()
    for (const { all, allSlots } of replica.documents) {
      if (!knowledge.isCurrent(provenance, allSlots))
        this.broken ??= `what is loaded now could not be kept: ${all.join()}`
    }
    const isSettled = waiting?.state === 'served' || this.fault === 'any tail answers a hint'
    if (waiting !== undefined && isSettled) replica.waiting = { ...waiting, state: 'settled' }
  }

  // Reads

  inRedis(replica: Replica, document: number): Stored | undefined {
    const { identity } = replica.knowledge
    return this.redis.find((stored) => stored.document === document && stored.identity === identity)
  }

  /** A reader whose tags are in no doubt, or have been settled, starts a flight: a GET if Redis has something, or a load. */
  beginFlight(replica: Replica, flight: Pick<Flight, 'document' | 'want'>, isGet: boolean): void {
    const { document, want } = flight
    const stored = isGet ? this.inRedis(replica, document) : undefined
    replica.flights = replica.flights.map((other) =>
      other.document === document ? { ...other, isListed: false } : other,
    )
    const begun = {
      provenance: replica.knowledge.provenance(),
      value: stored === undefined ? this.#valueAtOnce() : undefined,
    }
    replica.flights.push({ document, want, stored, isListed: true, joined: undefined, ...begun })
  }

  #valueAtOnce(): number | undefined {
    return this.plan.isSearch ? this.database.visible : undefined
  }

  isJoinable(replica: Replica, { isListed, document, provenance }: Flight): boolean {
    const { namedSlots } = replica.document(document)
    return isListed && (this.fault === 'joined without judging' || replica.knowledge.isCurrent(provenance, namedSlots))
  }

  join(replica: Replica, number: number, want: number): void {
    const flight = replica.flight(number)
    replica.flights[number] = { ...flight, joined: (flight.joined ?? 0) | want }
  }

  /** The reply of a GET: answered and promoted when it is current, else a load begins. */
  endGet(replica: Replica, number: number): void {
    const flight = replica.flight(number)
    const { stored, document } = flight
    if (stored === undefined) return
    const identity =
      this.fault === 'GET crosses an identity' ? replica.knowledge.identityNumber : (flight.provenance?.identity ?? 0)
    const provenance = { identity, snapshot: stored.snapshot }
    const { allSlots } = replica.document(document)
    const isCurrent = this.fault === 'GET judged when it begins' || replica.knowledge.isCurrent(provenance, allSlots)
    // What the answer depends on is known only now: when that is in doubt, nobody gets it.
    if (!isCurrent || this.#isFoundInDoubt(replica, document)) {
      const begun = { provenance: replica.knowledge.provenance(), value: this.#valueAtOnce() }
      replica.flights[number] = { ...flight, stored: undefined, ...begun }
      return
    }
    this.#remember(replica, document, provenance, stored.value)
    replica.flights.splice(number, 1)
    this.judge('an entry of Redis', document, stored.value, flight.want | replica.need)
    if (flight.joined !== undefined) this.judge('a joined entry of Redis', document, stored.value, flight.joined)
  }

  #isFoundInDoubt(replica: Replica, document: number): boolean {
    const { found } = replica.document(document)
    if (found.length === 0 || this.fault === 'found tags not looked up in hints') return false
    return replica.knowledge.hints.has(found)
  }

  load(replica: Replica, number: number): void {
    const flight = replica.flight(number)
    replica.flights[number] = { ...flight, value: this.database.visible }
  }

  endLoad(replica: Replica, number: number): void {
    const flight = replica.flight(number)
    const { document, value = 0, want, joined } = flight
    const { knowledge } = replica
    let { provenance } = flight
    if (this.fault === 'provenance of the end of a load') provenance = knowledge.provenance()
    if (this.fault === 'flight crosses an identity' && provenance !== undefined) {
      provenance = { ...provenance, identity: knowledge.identityNumber }
    }
    replica.flights.splice(number, 1)
    this.judge('a load', document, value, want)
    const isCurrent = knowledge.isCurrent(provenance, replica.document(document).allSlots)
    if (provenance !== undefined && (isCurrent || this.fault === 'kept without judging')) {
      this.#remember(replica, document, provenance, value)
      this.#store({ identity: knowledge.identity ?? '', document, snapshot: provenance.snapshot, value })
    }
    if (joined === undefined) return
    const isUnjudged = this.fault === 'joiners answered without judging' || this.fault === 'joined without judging'
    if (isUnjudged || (isCurrent && !this.#isFoundInDoubt(replica, document))) {
      return this.judge('a joined load', document, value, joined)
    }
    // Who joined reads once more: with a flight that began after it, or its own. It gets that one's answer whatever happens.
    const next = replica.flights.findIndex((other) => other.document === document && other.isListed)
    if (next < 0) this.beginFlight(replica, { document, want: joined }, false)
    else replica.flights[next] = { ...replica.flight(next), want: replica.flight(next).want | joined }
  }

  /** A hit in memory looks at `news` alone; otherwise it is judged, and stamped anew. */
  judgeInMemory(replica: Replica, document: number): void {
    const kept = replica.memory[document]
    if (kept === undefined) return
    if (this.fault === 'renewed without judging' || replica.isCurrentInMemory(document, kept)) {
      this.#remember(replica, document, kept.provenance, kept.value)
    } else replica.memory[document] = undefined
  }

  #remember(replica: Replica, document: number, provenance: Provenance, value: number): void {
    const { knowledge } = replica
    replica.memory[document] = { provenance: knowledge.renewed(provenance), value, judgedAt: knowledge.news }
  }

  #store(stored: Stored): void {
    const others = this.redis.filter(
      ({ document, identity }) => document !== stored.document || identity !== stored.identity,
    )
    this.redis = [...others, stored]
  }

  /** The worst that a reader may have stored under the snapshot that there is now: a load that ran at once. */
  #storeEvery(): void {
    if (!this.plan.setup.isEveryEntryStored) return
    const { identity, snapshot, visible: value } = this.database
    this.documents((document) => this.#storeAlso({ identity, document, snapshot, value }))
  }

  #storeAlso(stored: Stored): void {
    const { identity, document, snapshot, value } = stored
    const isKnown = this.redis.some(
      (other) =>
        other.document === document &&
        other.identity === identity &&
        other.snapshot.text === snapshot.text &&
        other.value === value,
    )
    if (!isKnown) this.redis = [...this.redis, stored]
  }

  documents(visit: (document: number) => void): void {
    for (let document = 0; document < this.plan.documents.length; document++) visit(document)
  }

  // What must hold

  /** Notes a stale answer. Writes that a crash has taken away are nobody's to be answered. */
  judge(what: string, document: number, value: number, want: number): void {
    const missing = want & ~value & ~this.database.lost & (this.plan.relevant[document] ?? 0)
    if (missing === 0) return
    const names = (set: number): string => this.plan.specs.map((_, n) => (set & (1 << n) ? n : '')).join('') || 'none'
    this.broken ??= `${what} showed writes ${names(value)} where ${names(missing)} had been seen or acknowledged`
  }

  /** Every answer that some reader could get at this very moment. */
  check(): void {
    this.#storeEvery()
    for (const replica of this.replicas) {
      this.documents((document) => this.#checkAnswers(replica, document))
      const { knowledge } = replica
      if (knowledge.seen === undefined || knowledge.identity !== this.database.identity) continue
      this.database.writes.forEach(({ id, state }, number) => {
        if (state !== 'acknowledged' || knowledge.seen === undefined || !sees(knowledge.seen, id)) return
        if ((replica.need & (1 << number)) === 0 && (this.database.lost & (1 << number)) === 0) {
          this.broken ??= `write ${number} counted as seen by a tail that had not seen it (min-version)`
        }
      })
    }
  }

  #checkAnswers(replica: Replica, document: number): void {
    const { knowledge, waiting } = replica
    const kept: Kept | undefined = replica.memory[document]
    const isSettled = waiting?.document === document && waiting.state === 'settled'
    const isDoubted = this.fault !== 'hints not asked' && replica.isInDoubt(document)
    if (isDoubted && !isSettled) return
    const want = isDoubted ? (waiting?.want ?? 0) : replica.need | replica.own
    if (kept !== undefined && replica.isCurrentInMemory(document, kept)) {
      this.judge('memory', document, kept.value, want)
    }
    if (this.#isFoundInDoubt(replica, document)) return
    const { identity, identityNumber } = knowledge
    for (const stored of this.redis) {
      if (stored.document !== document || stored.identity !== identity) continue
      const provenance = { identity: identityNumber, snapshot: stored.snapshot }
      if (!knowledge.isCurrent(provenance, replica.document(document).allSlots)) continue
      this.judge('Redis', document, stored.value, want)
      // What is current may be stamped anew.
      if (this.plan.setup.isEveryEntryStored)
        this.#storeAlso({ ...stored, snapshot: knowledge.renewed(provenance).snapshot })
    }
  }
}
