/** A generator of load: several streams of requests at one rate each, or as fast as they are answered. */
import type { ChildNews, ChildOrder, LoadOrder, LoadResult, Slice, StreamOrder, StreamResult } from './load.js'
import { SLICE_MS } from './load.js'
import { LoadConnection, type RawStatus } from './load-connection.js'
import { Numbers } from './numbers.js'

/** Longer than the longest answer: who holds a locked table's connection waits 4.5 s. */
const LAST_ANSWERS_MS = 6_000
const DIGITS = 9
const FAILED_PAUSE_MS = 20
/** What the service says with its refusals. */
const RETRY_AFTER_MS = 2_000
/** Of too much: by the service, or of one user. */
const REFUSALS = [429, 503]

class Phase {
  readonly #beganAt = performance.now()
  #endedAt: number | undefined
  sent = 0
  leftOut = 0
  readonly #statuses: Record<string, number> = {}
  readonly #failures: Record<string, number> = {}
  #hits = 0
  #unguided = 0
  readonly #answered = new Numbers()
  readonly #refused = new Numbers()
  readonly #own = new Numbers()
  readonly late = new Numbers()

  end(): void {
    this.#endedAt ??= performance.now()
  }

  add({ status, isHit, hasRetryAfter, ownMs, failure }: RawStatus, ms: number): void {
    if (failure !== undefined) return count(this.#failures, failure)
    count(this.#statuses, String(status))
    if (ownMs >= 0) this.#own.add(ownMs)
    if (isHit) this.#hits += 1
    if (REFUSALS.includes(status)) this.#refused.add(ms)
    else this.#answered.add(ms)
    if (REFUSALS.includes(status) && !hasRetryAfter) this.#unguided += 1
  }

  fail(failure: string): void {
    count(this.#failures, failure)
  }

  result(): StreamResult {
    return {
      seconds: ((this.#endedAt ?? performance.now()) - this.#beganAt) / 1_000,
      sent: this.sent,
      leftOut: this.leftOut,
      statuses: this.#statuses,
      failures: this.#failures,
      hits: this.#hits,
      unguided: this.#unguided,
      answered: this.#answered.times(),
      refused: this.#refused.times(),
      own: this.#own.times(),
      late: this.late.times(),
    }
  }
}

/** One stream while it runs. */
class Stream {
  readonly #order: StreamOrder
  readonly #nextNumber: () => number
  readonly #connections: LoadConnection[]
  readonly #idle: LoadConnection[] = []
  readonly #due: number[] = []
  readonly #slices = new Map<number, { answers: number; refused: number; slow: number }>()
  readonly #phases = new Map<string, Phase>()
  #phase = ''
  #nextRequest = 0
  #sentOfRate = 0
  #startedAt = 0
  #isStopped = false
  #underWay = 0

  constructor(order: StreamOrder, port: number, nextNumber: () => number) {
    this.#order = order
    this.#nextNumber = nextNumber
    const onAnswer = (connection: LoadConnection, answer: RawStatus): void => this.#answered(connection, answer)
    this.#connections = Array.from({ length: order.connections }, () => new LoadConnection(port, onAnswer))
  }

  get underWay(): number {
    return this.#underWay
  }

  begin(phase: string): void {
    this.#phases.get(this.#phase)?.end()
    this.#phase = phase
    if (!this.#phases.has(phase)) this.#phases.set(phase, new Phase())
  }

  /** All at once, before anything is measured: a service accepts one a turn of its event loop. */
  async open(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.open()))
  }

  start(): void {
    this.#startedAt = performance.now()
    if (this.#order.perSecond !== undefined) return void this.#idle.push(...this.#connections)
    for (const connection of this.#connections) this.#send(connection, performance.now())
  }

  /** Sends what has become due. */
  tick(): void {
    const { perSecond, isPatient = false, isEachOnce = false } = this.#order
    if (perSecond === undefined || this.#isStopped) return
    const now = performance.now()
    const phase = this.#current()
    for (;;) {
      const dueAt = this.#startedAt + (this.#sentOfRate * 1_000) / perSecond
      if (dueAt > now || (isEachOnce && this.#idle.length === 0)) return
      this.#sentOfRate += 1
      phase.late.add(performance.now() - dueAt)
      const connection = this.#idle.pop()
      if (connection !== undefined) this.#send(connection, dueAt)
      else if (isPatient) this.#due.push(dueAt)
      else phase.leftOut += 1
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#phases.get(this.#phase)?.end()
  }

  end(): void {
    for (const connection of this.#connections) connection.end()
  }

  results(): Record<string, StreamResult> {
    for (let n = 0; n < this.#underWay; n++) this.#current().fail('no answer')
    return Object.fromEntries([...this.#phases].map(([name, phase]) => [name, phase.result()]))
  }

  slices(): Slice[] {
    return [...this.#slices].map(([n, slice]) => ({ at: n * SLICE_MS, ...slice })).sort((a, b) => a.at - b.at)
  }

  #current(): Phase {
    const phase = this.#phases.get(this.#phase)
    if (phase === undefined) throw new Error('A stream has a phase before it starts')
    return phase
  }

  #send(connection: LoadConnection, dueAt: number): void {
    const { requests } = this.#order
    const text = requests[this.#nextRequest++ % requests.length] ?? ''
    connection.dueAt = dueAt
    connection.phase = this.#phase
    this.#current().sent += 1
    this.#underWay += 1
    connection.send(text.includes('{n}') ? text.replaceAll('{n}', numbered(this.#nextNumber())) : text)
  }

  #answered(connection: LoadConnection, answer: RawStatus): void {
    const now = performance.now()
    const ms = now - connection.dueAt
    this.#underWay -= 1
    this.#phases.get(connection.phase)?.add(answer, ms)
    this.#slice(answer, ms)
    if (this.#isStopped || this.#order.isEachOnce === true) return
    const dueAt = this.#isAtRate ? this.#due.shift() : now
    if (dueAt === undefined) return void this.#idle.push(connection)
    const pauseMs = this.#pauseAfter(answer)
    if (pauseMs === 0) this.#send(connection, dueAt)
    else
      setTimeout(() => this.#isStopped || this.#send(connection, this.#isAtRate ? dueAt : performance.now()), pauseMs)
  }

  get #isAtRate(): boolean {
    return this.#order.perSecond !== undefined
  }

  /** A connection that fails at once must not keep everything else from its turn; who is refused comes again when they are told to. */
  #pauseAfter({ failure, status }: RawStatus): number {
    if (failure !== undefined) return FAILED_PAUSE_MS
    return !this.#isAtRate && REFUSALS.includes(status) ? RETRY_AFTER_MS : 0
  }

  #slice({ status }: RawStatus, ms: number): void {
    const at = Math.floor((performance.timeOrigin + performance.now()) / SLICE_MS)
    const slice = this.#slices.get(at) ?? { answers: 0, refused: 0, slow: 0 }
    this.#slices.set(at, slice)
    slice.answers += 1
    if (status === 0 || status >= 500 || status === 429) slice.refused += 1
    if (ms > this.#order.slowMs) slice.slow += 1
  }
}

let streams: (readonly [string, Stream])[] = []
let openedMs = 0
let ticking: NodeJS.Timeout | undefined

process.on('message', (order: ChildOrder) => {
  if (order.kind === 'start') void open(order.order)
  else if (order.kind === 'go') go()
  else if (order.kind === 'phase') phase(order.name)
  else void stop()
})
process.on('disconnect', () => process.exit())

async function open({ port, streams: orders, from }: LoadOrder): Promise<void> {
  let number = from
  const openingAt = performance.now()
  streams = orders.map((order) => [order.name, new Stream(order, port, () => number++)])
  await Promise.all(streams.map(([, stream]) => stream.open()))
  openedMs = performance.now() - openingAt
  say({ kind: 'open' })
}

function go(): void {
  for (const [, stream] of streams) stream.start()
  ticking = setInterval(() => {
    for (const [, stream] of streams) stream.tick()
  }, 1)
  say({ kind: 'going' })
}

function phase(name: string): void {
  for (const [, stream] of streams) stream.begin(name)
  say({ kind: 'phase' })
}

async function stop(): Promise<void> {
  clearInterval(ticking)
  for (const [, stream] of streams) stream.stop()
  const until = performance.now() + LAST_ANSWERS_MS
  while (streams.some(([, stream]) => stream.underWay > 0) && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const phases: Record<string, Record<string, StreamResult>> = {}
  for (const [name, stream] of streams) {
    for (const [phase, result] of Object.entries(stream.results())) (phases[phase] ??= {})[name] = result
    stream.end()
  }
  const slices = Object.fromEntries(streams.map(([name, stream]) => [name, stream.slices()]))
  const result: LoadResult = { phases, slices, openedMs }
  say({ kind: 'ended', result })
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

function numbered(number: number): string {
  return String(number).padStart(DIGITS, '0')
}

function say(news: ChildNews): void {
  process.send?.(news)
}
