import type { Replica } from './replica.js'
import type { World } from './world.js'

/** A step is one number: its kind and up to three small arguments. */
const KINDS = [
  'begin',
  'commit',
  'abort',
  'acknowledge',
  'forge',
  'announce',
  'lose',
  'repeat',
  'tail',
  'tailed',
  'tailed too big',
  'tail failed',
  'late tail taken',
  'restart',
  'get',
  'load',
  'join',
  'got',
  'loaded',
  'answer',
  'wait',
  'settled: get',
  'settled: load',
  'settled: join',
  'settled: go',
  'judge memory',
  'evict',
  'take mark',
  'mark',
  'prune',
  'delete',
  'finish prune',
  'wipe Redis',
  'copy Redis',
  'old copy of Redis',
  'crash',
] as const
type Kind = (typeof KINDS)[number]
const CODES = Object.fromEntries(KINDS.map((kind, n) => [kind, n << 9])) as Record<Kind, number>

function step(kind: Kind, a = 0, b = 0, c = 0): number {
  return CODES[kind] | (a << 6) | (b << 3) | c
}

/** In words: `announce 2 1` is the announcement of write 2 that comes to replica 1. */
export function nameOf(code: number): string {
  const kind = KINDS[code >> 9] ?? ''
  const [a, b, c] = [(code >> 6) & 7, (code >> 3) & 7, code & 7]
  if (['commit', 'abort', 'acknowledge', 'crash', 'mark', 'prune', 'delete'].includes(kind)) return `${kind} ${a}`
  if (['take mark', 'finish prune', 'wipe Redis', 'copy Redis', 'old copy of Redis'].includes(kind)) return kind
  if (kind === 'begin') return `${kind} ${a} at ${b}`
  if (['announce', 'lose', 'repeat', 'forge'].includes(kind)) return `${kind} ${a} to ${b}`
  if (kind === 'tail' && b > 0) return `${a}: tail from mark or own ${b}`
  return `${a}: ${kind}${kind.startsWith('tail') || kind === 'restart' ? '' : ` ${b}`}${c > 0 ? ` ${c}` : ''}`
}

/** Everything that can happen next, into `out`. */
export function stepsOf(world: World, out: number[]): void {
  out.length = 0
  stepsOfDatabase(world, out)
  stepsOfRedis(world, out)
  world.replicas.forEach((replica, n) => {
    stepsOfMessages(world, replica, n, out)
    stepsOfTails(world, replica, n, out)
    if (!world.plan.setup.isEveryEntryStored) stepsOfReads(world, replica, n, out)
  })
}

function stepsOfDatabase({ database, plan, left, replicas }: World, out: number[]): void {
  const { writes } = database
  if (writes.length < plan.specs.length) {
    // Replicas are alike until something happens to one of them.
    const count = writes.length === 0 ? 1 : replicas.length
    for (let replica = 0; replica < count; replica++) out.push(step('begin', writes.length, replica))
  }
  for (let n = 0; n < writes.length; n++) {
    const state = writes[n]?.state
    if (state === 'open') {
      out.push(step('commit', n))
      if (left.aborts > 0) out.push(step('abort', n))
    } else if (state === 'committed') out.push(step('acknowledge', n))
  }
  if (left.marks > 0) out.push(step('take mark'))
  for (let n = 0; n < database.taken.length; n++) out.push(step('mark', n))
  for (let n = 0; n < database.marks.length; n++) {
    const mark = database.marks[n]
    if (mark !== undefined && database.prunable(mark)) out.push(step('prune', n))
  }
  for (let n = 0; n < database.rows.length; n++) if (database.canDelete(n)) out.push(step('delete', n))
  if (database.canFinish) out.push(step('finish prune'))
  if (left.crashes > 0) for (let losses = 0; losses <= database.losable; losses++) out.push(step('crash', losses))
}

function stepsOfRedis({ redis, saved, left, plan }: World, out: number[]): void {
  if (plan.setup.budgets.redisFaults === 0 || redis === saved) return
  if (redis.length > 0) out.push(step('copy Redis'))
  if (left.redisFaults === 0) return
  if (redis.length > 0) out.push(step('wipe Redis'))
  out.push(step('old copy of Redis'))
}

function stepsOfMessages({ database, left, plan }: World, replica: Replica, n: number, out: number[]): void {
  for (let write = 0; write < database.writes.length; write++) {
    if ((replica.coming & (1 << write)) === 0) continue
    out.push(step('announce', write, n))
    if (left.losses > 0) out.push(step('lose', write, n), step('repeat', write, n))
  }
  if (left.forgeries > 0) for (let tag = 0; tag < plan.tags.length; tag++) out.push(step('forge', tag, n))
  if (left.restarts > 0) out.push(step('restart', n))
}

function stepsOfTails({ database, left }: World, replica: Replica, n: number, out: number[]): void {
  const { knowledge, tail, lateTail } = replica
  if (lateTail !== undefined) out.push(step('late tail taken', n))
  if (tail !== undefined) {
    out.push(step('tailed', n))
    if (left.overflows > 0 && tail.answer.changes?.length !== 0) out.push(step('tailed too big', n))
    if (left.failures > 0) out.push(step('tail failed', n))
    return
  }
  const isUseless =
    knowledge.hints.isEmpty &&
    knowledge.seen?.text === database.snapshot.text &&
    knowledge.identity === database.identity
  if (isUseless) return
  const starts = database.starts(knowledge.seen, knowledge.identity)
  for (let start = 0; start < starts.length; start++) out.push(step('tail', n, start))
}

function stepsOfReads(world: World, replica: Replica, n: number, out: number[]): void {
  const { waiting, flights, memory, knowledge } = replica
  for (let document = 0; document < memory.length; document++) {
    const isDoubted = world.fault !== 'hints not asked' && replica.isInDoubt(document)
    if (isDoubted && waiting === undefined) out.push(step('wait', n, document))
    const kept = memory[document]
    if (kept !== undefined) {
      if (kept.provenance.snapshot !== knowledge.seen || kept.judgedAt !== knowledge.news)
        out.push(step('judge memory', n, document))
      if (memory.length > 1) out.push(step('evict', n, document))
    }
    if (!isDoubted)
      stepsBelowMemory(world, replica, { n, document, isSettled: false, want: replica.need | replica.own }, out)
  }
  if (waiting?.state === 'settled') {
    out.push(step('settled: go', n))
    stepsBelowMemory(world, replica, { n, document: waiting.document, isSettled: true, want: waiting.want }, out)
  } else if (waiting?.state === 'unsettled' && flights.length < world.plan.setup.flights)
    out.push(step('settled: load', n, waiting.document))
  for (let flight = 0; flight < flights.length; flight++) {
    if (replica.flight(flight).stored !== undefined) out.push(step('got', n, flight))
    else out.push(step(replica.flight(flight).value === undefined ? 'loaded' : 'answer', n, flight))
  }
}

function stepsBelowMemory(
  world: World,
  replica: Replica,
  reader: { readonly n: number; readonly document: number; readonly isSettled: boolean; readonly want: number },
  out: number[],
): void {
  const { n, document, isSettled, want } = reader
  let isJoinable = false
  for (let number = 0; number < replica.flights.length; number++) {
    const flight = replica.flight(number)
    if (flight.document !== document || !world.isJoinable(replica, flight)) continue
    isJoinable = true
    // Joined by a reader who wants no more than others do: nothing new.
    if ((want & ~(flight.joined ?? 0)) !== 0) out.push(step(isSettled ? 'settled: join' : 'join', n, number))
  }
  if (isJoinable || replica.flights.length >= world.plan.setup.flights) return
  out.push(step(isSettled ? 'settled: load' : 'load', n, document))
  if (world.inRedis(replica, document) !== undefined) out.push(step(isSettled ? 'settled: get' : 'get', n, document))
}

/** Lets it happen; afterwards {@link World.broken} says whether somebody got a stale answer. */
export function take(world: World, code: number): void {
  const kind = KINDS[code >> 9]
  const [a, b] = [(code >> 6) & 7, (code >> 3) & 7]
  const { database } = world
  switch (kind) {
    case 'begin':
      return database.begin(b)
    case 'commit':
      return world.commit(a)
    case 'abort':
      world.use('aborts')
      return database.abort(a)
    case 'take mark':
      world.use('marks')
      return database.takeMark()
    case 'mark':
      return database.mark(a)
    case 'prune':
      return database.prune(a)
    case 'delete':
      return database.delete(a)
    case 'finish prune':
      return database.finish()
    case 'crash':
      world.use('crashes')
      return world.crash(a)
    case 'copy Redis':
      world.saved = world.redis
      return
    case 'wipe Redis':
      world.use('redisFaults')
      world.redis = []
      return
    case 'old copy of Redis':
      world.use('redisFaults')
      world.redis = world.saved
      return
    case 'acknowledge':
      return world.acknowledge(a)
    case 'announce':
    case 'lose':
    case 'repeat':
    case 'forge':
      return takeMessage(world, kind, a, world.replica(b))
    case 'restart':
      world.use('restarts')
      world.replicas[a] = world.replica(a).restarted()
      return
    case undefined:
      throw new Error(`No step ${code}`)
    default:
      return takeOfReplica(world, kind, world.replica(a), b)
  }
}

function takeMessage(world: World, kind: Kind, what: number, replica: Replica): void {
  if (kind === 'forge') {
    world.use('forgeries')
    return replica.hint([world.plan.tags[what] ?? ''])
  }
  if (kind !== 'announce') world.use('losses')
  if (kind !== 'repeat') replica.coming &= ~(1 << what)
  if (kind !== 'lose') world.announced(replica, what)
}

function takeOfReplica(world: World, kind: Kind, replica: Replica, what: number): void {
  const { database } = world
  const { waiting, knowledge } = replica
  const want = replica.need | replica.own
  switch (kind) {
    case 'tail': {
      const from = database.starts(knowledge.seen, knowledge.identity)[what]
      return from && world.beginTail(replica, from)
    }
    case 'tailed':
      return world.endTail(replica, { isTooBig: false })
    case 'tailed too big':
      world.use('overflows')
      return world.endTail(replica, { isTooBig: true })
    case 'tail failed':
      world.use('failures')
      return world.failTail(replica)
    case 'late tail taken':
      return world.takeLate(replica)
    case 'wait':
      replica.waiting = { document: what, want, state: 'waiting' }
      return
    case 'get':
    case 'load':
      return world.beginFlight(replica, { document: what, want }, kind === 'get')
    case 'join':
      return world.join(replica, what, want)
    case 'settled: get':
    case 'settled: load':
      replica.waiting = undefined
      return world.beginFlight(replica, { document: what, want: waiting?.want ?? 0 }, kind === 'settled: get')
    case 'settled: join':
      replica.waiting = undefined
      return world.join(replica, what, waiting?.want ?? 0)
    case 'settled: go':
      replica.waiting = undefined
      return
    case 'got':
      return world.endGet(replica, what)
    case 'loaded':
      return world.load(replica, what)
    case 'answer':
      return world.endLoad(replica, what)
    case 'judge memory':
      return world.judgeInMemory(replica, what)
    case 'evict':
      replica.memory[what] = undefined
      return
    default:
      throw new Error(`No step of a replica: ${kind}`)
  }
}
