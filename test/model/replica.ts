import type { HeardOptions } from '../../services/cache/core/heard.js'
import type { TailAnswer } from '../../services/cache/journal/journal.js'
import { Knowledge, type Provenance } from '../../services/cache/core/knowledge.js'
import type { Snapshot } from '../../services/cache/core/snapshot.js'

/** Named before the load, and found in its result; with the slots of both, under this replica's seed. */
export interface DocumentTags {
  readonly named: readonly string[]
  readonly found: readonly string[]
  readonly all: readonly string[]
  readonly namedSlots: readonly number[]
  readonly allSlots: readonly number[]
}

/** What Redis holds of a document: `value` is the set of writes that it shows. */
export interface Stored {
  readonly identity: string
  readonly document: number
  readonly snapshot: Snapshot
  readonly value: number
}

export interface Kept {
  readonly provenance: Provenance
  readonly value: number
  /** {@link Knowledge.news} when it was last found current. */
  readonly judgedAt: number
}

export interface TailUnderWay {
  readonly answer: TailAnswer & { readonly identity: string }
  readonly snapshot: Snapshot
  /** The writes that its statement saw. */
  readonly need: number
}

/** One run of the read path below memory. */
export interface Flight {
  readonly document: number
  /** Readers that come may join it. */
  readonly isListed: boolean
  readonly provenance: Provenance | undefined
  /** Of a GET under way: what Redis had when it came there. */
  readonly stored: Stored | undefined
  /** Set for a load that has read the database. */
  readonly value: number | undefined
  /** What its reader must be shown, whatever comes of it: also those who read a second time are among these. */
  readonly want: number
  /** What those who joined must be shown, if it is current in the end. */
  readonly joined: number | undefined
}

/** A reader that met a hint. */
export interface Waiting {
  readonly document: number
  readonly want: number
  readonly state: 'waiting' | 'served' | 'settled' | 'unsettled'
}

type Event =
  | { readonly is: 'hint'; readonly tags: readonly string[] }
  | { readonly is: 'began' }
  | { readonly is: 'failed' }
  | { readonly is: 'took'; readonly answer: TailUnderWay['answer'] }
  | { readonly is: 'believed'; readonly answer: TailUnderWay['answer'] }

/** One process: the real {@link Knowledge} and, around it, what a read path, a follower and a memory tier keep. */
export class Replica {
  knowledge: Knowledge
  /** What the last finished tail saw, and what was acknowledged here: sets of writes. */
  need = 0
  own = 0
  /** Announcements on their way: a set of writes. */
  coming = 0
  tail: TailUnderWay | undefined
  /** Answered after the follower had given it up. */
  lateTail: TailUnderWay | undefined
  /** Tags hinted since the tail under way began. */
  hintedSince: ReadonlySet<string> = new Set()
  memory: (Kept | undefined)[]
  flights: Flight[] = []
  waiting: Waiting | undefined
  readonly #options: HeardOptions
  /** All that the knowledge was told, where it is to be made again: a clone shares it until one of both changes it. */
  #events: readonly Event[] | undefined
  #isShared = false

  constructor(
    options: HeardOptions,
    readonly documents: readonly DocumentTags[],
    isRecorded: boolean,
  ) {
    this.#options = options
    this.knowledge = new Knowledge(options)
    this.memory = documents.map(() => undefined)
    this.#events = isRecorded ? [] : undefined
  }

  clone(): Replica {
    const copy = new Replica(this.#options, this.documents, true)
    copy.knowledge = this.knowledge
    copy.#events = this.#events
    copy.#isShared = true
    this.#isShared = true
    copy.need = this.need
    copy.own = this.own
    copy.coming = this.coming
    copy.tail = this.tail
    copy.lateTail = this.lateTail
    copy.hintedSince = this.hintedSince
    copy.memory = this.memory.slice()
    copy.flights = this.flights.slice()
    copy.waiting = this.waiting
    return copy
  }

  restarted(): Replica {
    const copy = new Replica(this.#options, this.documents, this.#events !== undefined)
    copy.coming = this.coming
    return copy
  }

  document(number: number): DocumentTags {
    const document = this.documents[number]
    if (document === undefined) throw new Error(`No document ${number}`)
    return document
  }

  flight(number: number): Flight {
    const flight = this.flights[number]
    if (flight === undefined) throw new Error(`No flight ${number}`)
    return flight
  }

  hint(tags: readonly string[]): void {
    this.#tell({ is: 'hint', tags })
    if (this.tail !== undefined) this.hintedSince = new Set([...this.hintedSince, ...tags])
  }

  tailBegan(): void {
    this.#tell({ is: 'began' })
    this.hintedSince = new Set()
  }

  tailFailed(): void {
    this.#tell({ is: 'failed' })
    this.hintedSince = new Set()
  }

  take(answer: TailUnderWay['answer']): void {
    this.#tell({ is: 'took', answer })
    this.hintedSince = new Set()
  }

  /** What nobody may do: an announcement taken for what the journal says. */
  believe(answer: TailUnderWay['answer']): void {
    this.#tell({ is: 'believed', answer })
  }

  #tell(event: Event): void {
    if (this.#isShared) {
      this.knowledge = new Knowledge(this.#options)
      for (const past of this.#events ?? []) apply(this.knowledge, past)
      this.#isShared = false
    }
    if (this.#events !== undefined) this.#events = [...this.#events, event]
    apply(this.knowledge, event)
  }

  /** As the memory tier does: not judged again while there is no news. */
  isCurrentInMemory(document: number, { provenance, judgedAt }: Kept): boolean {
    return judgedAt === this.knowledge.news || this.knowledge.isCurrent(provenance, this.document(document).allSlots)
  }

  /** Before a read: of the entry in memory all tags are known. */
  isInDoubt(document: number): boolean {
    const { named, all } = this.document(document)
    return this.knowledge.hints.has(this.memory[document] === undefined ? named : all)
  }

  /**
   * All that decides about the future, and no more: numbers that only count are left out, and what was heard is asked what
   * it makes of every snapshot that there is. Later ones satisfy it anyway.
   */
  key(snapshots: readonly Snapshot[], slots: readonly number[], tags: readonly string[]): string {
    const { knowledge } = this
    const identity = knowledge.identityNumber
    let heard = ''
    for (const snapshot of snapshots) {
      const provenance = { identity, snapshot }
      if (!knowledge.isCurrent(provenance, [])) heard += '-'
      else for (const slot of slots) heard += knowledge.isCurrent(provenance, [slot, slot]) ? 1 : 0
    }
    const stampKey = (provenance: Provenance | undefined): string =>
      provenance === undefined || provenance.identity !== identity ? 'x' : provenance.snapshot.text
    const hints = tags.map((tag) => `${Number(knowledge.hints.has([tag]))}${Number(this.hintedSince.has(tag))}`)
    const memory = this.memory.map((kept) =>
      kept === undefined
        ? ''
        : `${stampKey(kept.provenance)}=${kept.value}${kept.judgedAt === knowledge.news ? '!' : ''}`,
    )
    const flights = this.flights.map(
      ({ document, isListed, provenance, stored, value, want, joined }) =>
        `${document}${isListed ? 'l' : ''}${stampKey(provenance)}=${value},${want},${joined}${stored?.snapshot.text}=${stored?.value}`,
    )
    const tail = this.tail && `${this.tail.need}${JSON.stringify(this.tail.answer)}`
    const wait = this.waiting && `${this.waiting.document}${this.waiting.want}${this.waiting.state}`
    return [
      knowledge.identity,
      knowledge.seen?.text,
      heard,
      hints.join(''),
      Number(knowledge.hints.has([])),
      this.need,
      this.own,
      this.coming,
      memory.join(';'),
      flights.join(';'),
      tail,
      wait,
    ].join('|')
  }
}

function apply(knowledge: Knowledge, event: Event): void {
  if (event.is === 'hint') knowledge.hints.add(event.tags)
  else if (event.is === 'began') knowledge.tailBegan()
  else if (event.is === 'failed') knowledge.tailFailed()
  else if (event.is === 'took') knowledge.take(event.answer)
  else if (knowledge.seen !== undefined) knowledge.heard.take(event.answer.changes ?? [], knowledge.seen)
}
