import { Heard } from '../../services/cache/core/heard.js'

/** What can still go wrong in one run, and how often. */
export interface Budgets {
  readonly restarts: number
  readonly marks: number
  readonly overflows: number
  readonly crashes: number
  readonly losses: number
  readonly forgeries: number
  readonly redisFaults: number
  readonly aborts: number
  readonly failures: number
}

export interface Setup {
  readonly name: string
  readonly replicas: number
  /** What each write raises, a letter a tag: `ab` in one journal row, `a+b` in two of one transaction, `*` everything. */
  readonly writes: readonly string[]
  /** What each document depends on; behind `+` the tags that only a result tells. */
  readonly documents: readonly string[]
  readonly slots: number
  /** In how many of their two slots the tags `a` and `b` collide. */
  readonly collisions: 0 | 1 | 2
  /**
   * Instead of the read path: for every snapshot there has ever been, the worst entry that may carry it, in Redis all at once.
   * Replica 0 alone judges them.
   */
  readonly isEveryEntryStored: boolean
  /** Flights of one document that a replica can have at one time: the one to join, and those that a write has overtaken. */
  readonly flights: number
  /** Do replicas announce their writes? */
  readonly isAnnounced: boolean
  readonly budgets: Budgets
}

const NONE: Budgets = {
  restarts: 0,
  marks: 0,
  overflows: 0,
  crashes: 0,
  losses: 0,
  forgeries: 0,
  redisFaults: 0,
  aborts: 0,
  failures: 0,
}
const ONE_EACH: Budgets = {
  restarts: 1,
  marks: 2,
  overflows: 1,
  crashes: 1,
  losses: 1,
  forgeries: 1,
  redisFaults: 1,
  aborts: 1,
  failures: 1,
}

const READ_PATH = { isEveryEntryStored: false, flights: 2, isAnnounced: true }

type Parts = Partial<Omit<Setup, 'budgets' | 'name'>> & { readonly budgets?: Partial<Budgets> }

function setup(name: string, parts: Parts): Setup {
  const base = {
    replicas: 2,
    writes: ['a', 'b', 'a', 'a'],
    documents: ['ab'],
    slots: 64,
    collisions: 0 as const,
    ...READ_PATH,
  }
  return { ...base, ...parts, name, budgets: { ...NONE, ...parts.budgets } }
}

/** One replica that reads, and few slots. */
function one(name: string, parts: Parts): Setup {
  return setup(name, { replicas: 1, slots: 2, collisions: 1, flights: 1, isAnnounced: false, ...parts })
}

/** Only what is heard, judged against all entries that there can be. */
function everyEntry(name: string, parts: Parts): Setup {
  return one(`every entry: ${name}`, { documents: ['a'], isEveryEntryStored: true, ...parts })
}

/** Small enough that every state can be looked at; `isShort`: in seconds. */
export const SEARCHED: readonly (Setup & { readonly isShort: boolean })[] = [
  { isShort: true, ...everyEntry('orders of commits', { writes: ['a', 'b', 'a'] }) },
  { isShort: true, ...everyEntry('crash', { writes: ['a', 'a'], budgets: { crashes: 1, restarts: 1 } }) },
  { isShort: true, ...everyEntry('too big', { writes: ['a', 'b'], budgets: { overflows: 1, marks: 1 } }) },
  { isShort: true, ...one('reads of one replica', { writes: ['a', 'b'], documents: ['a'] }) },
  { isShort: false, ...everyEntry('orders of more commits', { writes: ['a', 'b', 'a', 'b'] }) },
  { isShort: false, ...everyEntry('collisions', { writes: ['a', 'b', 'c', 'a'], documents: ['a', 'bc'] }) },
  { isShort: false, ...everyEntry('everything', { writes: ['a', '*', 'a+b', '*'], documents: ['a', 'b'] }) },
  { isShort: false, ...everyEntry('prune', { writes: ['a', 'b', 'a'], budgets: { marks: 1, restarts: 1 } }) },
  {
    isShort: false,
    ...everyEntry('two marks', { writes: ['a', 'a'], budgets: { marks: 2, restarts: 1, overflows: 1 } }),
  },
  { isShort: false, ...everyEntry('ids given again', { writes: ['a', 'a', 'a'], budgets: { crashes: 1, marks: 1 } }) },
  { isShort: false, ...one('reads and a crash', { writes: ['a', 'a'], documents: ['a'], budgets: { crashes: 1 } }) },
  { isShort: false, ...one('reads and a restart', { writes: ['a', 'b'], documents: ['a'], budgets: { restarts: 1 } }) },
  { isShort: false, ...one('reads of two replicas', { replicas: 2, writes: ['a'], documents: ['a'] }) },
]

/** For random walks: each of them gathers the steps of a few races, and the first has all of them. */
export const WALKED: readonly Setup[] = [
  setup('all faults', { budgets: ONE_EACH }),
  setup('order of commits', { writes: ['a', 'a', 'b', 'a', 'a'], budgets: { aborts: 2 } }),
  setup('collisions', {
    writes: ['a', 'b', 'a', 'b', 'c'],
    documents: ['a', 'bc'],
    slots: 4,
    collisions: 1,
    budgets: { aborts: 1, losses: 1 },
  }),
  setup('one slot', { writes: ['a', 'b', 'b', 'a'], documents: ['a', 'b'], slots: 1, collisions: 2 }),
  setup('everything', { writes: ['ab', '*', 'a+b', '*'], documents: ['a', 'b'], budgets: { losses: 1, aborts: 1 } }),
  setup('prune', { writes: ['a', 'a', 'b', 'a'], budgets: { marks: 3, restarts: 1, aborts: 1 } }),
  setup('crash', { documents: ['a'], budgets: { crashes: 2, redisFaults: 1, marks: 1 } }),
  setup('too big', { writes: ['a', 'ab', 'b', 'a'], budgets: { overflows: 2, restarts: 1, marks: 1 } }),
  setup('hints', {
    writes: ['a', 'b', 'a'],
    documents: ['a'],
    budgets: { losses: 2, forgeries: 2, failures: 2, crashes: 1 },
  }),
  setup('found tags', { writes: ['b', 'a', 'b', 'b'], documents: ['a+b', 'b'], budgets: { losses: 1 } }),
  setup('old copies', {
    writes: ['a', 'b', 'a'],
    documents: ['ab', 'b'],
    budgets: { redisFaults: 3, restarts: 1, marks: 1 },
  }),
  setup('three replicas', {
    replicas: 3,
    writes: ['a', 'b', 'a', 'ab', 'a'],
    slots: 4,
    collisions: 1,
    budgets: { ...ONE_EACH, restarts: 2 },
  }),
  everyEntry('orders', { writes: ['a', 'b', 'a', 'b', 'a'], slots: 4, budgets: { aborts: 1 } }),
  everyEntry('changes of everything', { writes: ['*', 'a', '*', '*'], budgets: { crashes: 1 } }),
  everyEntry('prunes', { writes: ['a', 'a', 'b', 'a'], slots: 64, collisions: 0, budgets: { marks: 3, restarts: 1 } }),
  everyEntry('crashes', { writes: ['a', 'a', 'a', 'a'], budgets: { crashes: 2, restarts: 1, marks: 1 } }),
]

/** A seed under which `a` and `b` collide in as many slots as the set-up wants. */
export function seedOf({ slots, collisions }: Setup): number {
  for (let seed = 1; seed < 10_000; seed++) {
    const [a1, a2, b1, b2] = new Heard({ slots, seed }).slotsOf(['a', 'b'])
    const isCrossed = slots > 2 && (a1 === b2 || a2 === b1 || a1 === a2 || b1 === b2)
    if (Number(a1 === b1) + Number(a2 === b2) === collisions && !isCrossed) return seed
    if (slots === 1) return seed
  }
  throw new Error(`No seed makes a and b collide in ${collisions} of ${slots} slots`)
}
