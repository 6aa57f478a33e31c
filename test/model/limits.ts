import { EVERYTHING, Heard } from '../../services/cache/core/heard.js'
import { Hints } from '../../services/cache/core/hints.js'
import { type Change } from '../../services/cache/journal/journal.js'
import type { Snapshot } from '../../services/cache/core/snapshot.js'
import { Seeded } from '../helpers/seeded.js'
import { snapshotFrom } from './database.js'

/** More than `Heard` keeps snapshots, and more than `Hints` keeps tags. */
const TAILS = 3_000
const MOST_HINTS = 10_000
const TAGS = Array.from({ length: 40 }, (_, n) => (n === 0 ? EVERYTHING : `tag ${n}`))

/** What no walk is long enough for; `undefined` when it holds. */
export function beyondLimits(seed: number): string | undefined {
  return manyTails(new Seeded(seed)) ?? manyHints()
}

/** Every tail brings several transactions of one tag, some tags are heard of early and never again. */
function manyTails(random: Seeded): string | undefined {
  const heard = new Heard({ slots: 4_096, seed: random.below(2 ** 32) })
  const raisedBy = new Map<string, number[]>()
  const samples: Snapshot[] = []
  let open: { id: number; tag: string }[] = []
  let [nextId, xmax] = [8, 8]
  for (let tail = 1; tail <= TAILS; tail++) {
    // Fewer and fewer tags: those that are left out were heard of long ago.
    const tag = TAGS[Math.floor(random.next() * TAGS.length * (1 - tail / TAILS))] ?? EVERYTHING
    if (tag !== EVERYTHING || tail < TAILS / 4) for (let n = 0; n < 3; n++) open.push({ id: nextId++, tag })
    const completed = open.filter(() => random.below(3) > 0)
    open = open.filter((transaction) => !completed.includes(transaction))
    const changes: Change[] = completed.map(({ id, tag }) => ({ transaction: id, tags: [tag] }))
    xmax = Math.max(xmax, ...completed.map(({ id }) => id + 1))
    const running = open.map(({ id }) => id).filter((id) => id < xmax)
    const snapshot = snapshotFrom(`${running[0] ?? xmax}:${xmax}:${running.join()}`)
    heard.take(changes, snapshot)
    for (const { id, tag } of completed) raisedBy.set(tag, [...(raisedBy.get(tag) ?? []), id])
    if (tail % 20 < 2) samples.push(snapshot)
    if (tail % 250 === 0) {
      const why = overlooked(heard, samples, raisedBy)
      if (why !== undefined) return `after ${tail} tails ${why}`
      if (!heard.isSatisfied(snapshot, heard.slotsOf(TAGS.slice(1)))) return `after ${tail} tails the last was refused`
    }
  }
  return undefined
}

function overlooked(
  heard: Heard,
  samples: readonly Snapshot[],
  raisedBy: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  for (const [tag, ids] of raisedBy) {
    const slots = tag === EVERYTHING ? [] : heard.slotsOf([tag])
    for (const { text, xmax, xip } of samples) {
      const missed = ids.find((id) => id >= xmax || xip.includes(id))
      if (missed !== undefined && heard.isSatisfied({ text, xmax, xip }, slots)) {
        return `${text} satisfied "${tag}", and does not see ${missed}`
      }
    }
  }
  return undefined
}

function manyHints(): string | undefined {
  const tags = Array.from({ length: MOST_HINTS + 1 }, (_, n) => `tag ${n}`)
  for (const isLate of [false, true]) {
    const hints = new Hints()
    if (isLate) hints.tailBegan()
    for (const tag of tags) hints.add([tag])
    if (isLate) hints.tailEnded({ hasFailed: true })
    const forgotten = tags.find((tag) => !hints.has([tag]))
    if (forgotten !== undefined) return `the hint of "${forgotten}" was forgotten`
  }
  return undefined
}
