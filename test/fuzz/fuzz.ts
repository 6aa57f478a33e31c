import { Seeded } from '../helpers/seeded.js'
import { type Cast, learn, type Shot, type Tenant } from './cast.js'
import { Connection, type Exchange } from './connection.js'
import { faultsOfLog, Judge } from './judge.js'
import { type Operation, operationsOf, placesOf } from './openapi.js'
import { Pace } from './pace.js'
import { Requests } from './requests.js'
import { belongingsOf, type Call, callOf, castOf, residentBytes, type Service, smuggledRows } from './scene.js'
import { Wire } from './wire.js'

export interface Limits {
  readonly requests: number
  readonly seed: number
  /** Connections that are asked on at a time. */
  readonly atOnce: number
  /** How long an answer may take, where an ordinary write takes no twentieth of it. */
  readonly limitMs: number
  /** The share of what is no proper request. */
  readonly wireShare: number
  /** Whether resident memory is looked at: the service must have a process of its own for that. */
  readonly isMemoryJudged: boolean
  /** Texts that no line of the log may have, beside tokens. */
  readonly secrets?: readonly string[]
}

/** One promise that was not kept, and by what request. */
export interface Broken {
  readonly what: string
  readonly route: string
  readonly request: string
  readonly answer: string
}

export interface Report {
  readonly shots: number
  readonly answers: number
  readonly seconds: number
  /** By route: how often each status was answered; 0 is no answer. */
  readonly statuses: ReadonlyMap<string, ReadonlyMap<number, number>>
  /** How many parameters and fields there are, and those that were given nothing hostile. */
  readonly places: number
  readonly untouched: readonly string[]
  readonly slowestMs: number
  /** Resident bytes, taken at even distances of the run. */
  readonly resident: readonly number[]
  /** The first ones; {@link brokenCount} counts all. */
  readonly broken: readonly Broken[]
  readonly brokenCount: number
}

const MOST_BROKEN = 40
/** What may come after the last answer that is due is waited for as long. */
const QUIET_MS = 60
const MEMORY_SAMPLES = 40
/** The second half of a run may take so much more than its first: what V8 keeps for later moves by as much. */
const MEMORY_SLACK = { share: 0.15, bytes: 24 * 1_048_576 }

/** Asks the service what nobody should ask, and says which promises did not hold. */
export async function fuzz(service: Service, limits: Limits): Promise<Report> {
  const call = callOf(service)
  const cast = await castOf(call)
  const before = await belongingsOf(call, cast.victim)
  const operations = operationsOf(JSON.parse(await call(cast.tokens.admin, 'GET', '/openapi.json')) as object)
  const pace = new Pace(call, cast.ordinary.token)
  const run = new Run(service, limits, { cast, operations, call, pace })
  const startedAt = performance.now()
  const paced = pace.run()
  await run.finish()
  pace.end()
  await paced
  const seconds = (performance.now() - startedAt) / 1_000

  const after = await belongingsOf(call, cast.victim)
  if (after.join('\n') !== before.join('\n')) run.fail('the rows of who never asked are others now', after.join('\n'))
  const smuggled = await smuggledRows(call, [cast.alice, cast.bob, cast.victim])
  if (smuggled.length > 0)
    run.fail(`${smuggled.length} requests were carried out that were inside of others`, smuggled.join())
  const tenants: Tenant[] = [cast.alice, cast.bob, cast.victim, cast.doomed]
  const secrets = [
    ...tenants.map(({ token }) => token),
    ...Object.values(cast.tokens),
    'rh2_',
    ...(limits.secrets ?? []),
  ]
  for (const fault of faultsOfLog(service.log(), secrets)) run.fail('the log', fault)
  run.judgeMemory()
  return run.report(seconds)
}

interface World {
  readonly cast: Cast
  readonly operations: readonly Operation[]
  readonly call: Call
  readonly pace: Pace
}

class Run {
  readonly #service: Service
  readonly #limits: Limits
  readonly #world: World
  readonly #requests: Requests
  readonly #wire: Wire
  readonly #judge: Judge
  readonly #random: Seeded
  readonly #statuses = new Map<string, Map<number, number>>()
  readonly #broken: Broken[] = []
  readonly #resident: number[] = []
  #brokenCount = 0
  #shots = 0
  #answers = 0
  #slowestMs = 0

  constructor(service: Service, limits: Limits, world: World) {
    this.#service = service
    this.#limits = limits
    this.#world = world
    this.#random = new Seeded(limits.seed)
    this.#requests = new Requests(this.#random, world.cast, world.operations)
    this.#wire = new Wire(this.#random, world.cast)
    this.#judge = new Judge(world.cast, world.operations, {
      limitMs: () => world.pace.limit(limits.limitMs),
      isStarved: () => world.pace.isStarved,
    })
  }

  async finish(): Promise<void> {
    await Promise.all(Array.from({ length: this.#limits.atOnce }, () => this.#ask()))
  }

  fail(what: string, answer: string, shot?: Shot): void {
    this.#brokenCount += 1
    if (this.#broken.length >= MOST_BROKEN) return
    const request = Buffer.concat(shot?.pieces ?? []).toString('latin1')
    this.#broken.push({
      what,
      route: shot?.route ?? 'afterwards',
      request: request.slice(0, 1_500),
      answer: answer.slice(0, 1_000),
    })
  }

  /** Memory grows while it fills, and is flat afterwards. */
  judgeMemory(): void {
    if (!this.#limits.isMemoryJudged) return
    const at = (part: number): number[] => {
      const from = Math.floor(this.#resident.length * part)
      return this.#resident.slice(from, from + Math.ceil(this.#resident.length / 4)).sort((a, b) => a - b)
    }
    const [early, late] = [at(0.25), at(0.75)].map((values) => values[Math.floor(values.length / 2)] ?? 0)
    if (early === undefined || late === undefined) return
    const most = early * (1 + MEMORY_SLACK.share) + MEMORY_SLACK.bytes
    if (late > most)
      this.fail(`resident memory grew from ${mib(early)} to ${mib(late)} MiB`, this.#resident.map(mib).join())
  }

  report(seconds: number): Report {
    const places = this.#world.operations.flatMap((one) => placesOf(one).map((place) => [one.name, place] as const))
    return {
      shots: this.#shots,
      answers: this.#answers,
      seconds,
      statuses: this.#statuses,
      places: places.length,
      untouched: places.flatMap(([name, place]) =>
        this.#requests.spoiled.get(name)?.has(place) === true ? [] : [`${name}: ${place}`],
      ),
      slowestMs: this.#slowestMs,
      resident: this.#resident,
      broken: this.#broken,
      brokenCount: this.#brokenCount,
    }
  }

  async #ask(): Promise<void> {
    const connection = new Connection(this.#service.port)
    const every = Math.ceil(this.#limits.requests / MEMORY_SAMPLES)
    while (this.#shots < this.#limits.requests) {
      this.#shots += 1
      if (this.#limits.isMemoryJudged && this.#shots % every === 0)
        this.#resident.push(await residentBytes(this.#world.call))
      const isWire = this.#random.next() < this.#limits.wireShare
      const shot = isWire ? this.#wire.next(() => this.#requests.next()) : this.#requests.next()
      const { pieces, methods, answers, isHalfClosed = false } = shot
      // What is late is waited for all the same: it tells whether it hangs.
      const limitMs = this.#world.pace.limit(this.#limits.limitMs) * 5
      const quietMs = isWire ? QUIET_MS : 0
      const exchange = await connection.exchange({
        pieces,
        methods,
        least: answers.least,
        limitMs,
        quietMs,
        isHalfClosed,
      })
      this.#note(shot, exchange)
    }
    connection.close()
  }

  #note(shot: Shot, exchange: Exchange): void {
    const counts = this.#statuses.get(shot.route) ?? new Map<number, number>()
    this.#statuses.set(shot.route, counts)
    for (const { status } of exchange.answers) counts.set(status, (counts.get(status) ?? 0) + 1)
    if (exchange.answers.length === 0) counts.set(0, (counts.get(0) ?? 0) + 1)
    this.#answers += exchange.answers.length
    this.#slowestMs = Math.max(this.#slowestMs, exchange.ms)
    for (const fault of this.#judge.faults(shot, exchange)) {
      const [first] = exchange.answers
      this.fail(fault, `${first?.status} ${first?.lines.join(' | ')} ${first?.text}`, shot)
    }
    this.#learn(shot, exchange)
  }

  /** Rows that were made can be named from now on. */
  #learn({ sender, route }: Shot, { answers: [first] }: Exchange): void {
    const { alice, bob, doomed } = this.#world.cast
    const kind = /^POST \/api\/(?:[^ ]+\/)?(\w+)$/.exec(route)?.[1]
    if (first?.status !== 201 || kind === undefined) return
    const { id } = JSON.parse(first.text) as { id: string }
    learn(sender === 'alice' ? alice : sender === 'bob' ? bob : doomed, kind, id)
  }
}

export function mib(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0)
}
