import type { Fault } from './faults.js'

/** A piece of services/cache, and what stands there once the rule is broken. */
export interface Edit {
  readonly file: 'snapshot.ts' | 'heard.ts' | 'hints.ts' | 'knowledge.ts'
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
}

/** One rule of the protocol, broken. */
export interface Mutant {
  readonly name: string
  /** In the real code of the core … */
  readonly edit?: Edit
  /** … or, where the rule lives outside of it, in the model's own SQL and read path. */
  readonly fault?: Fault
  /** For a fault: the code that the rule lives in. */
  readonly livesIn?: string
}

function inFile(file: Edit['file'], rules: Record<string, readonly [from: string, to: string]>): Mutant[] {
  return Object.entries(rules).map(([name, [from, to]]) => ({ name, edit: { file, from, to } }))
}

function outside(faults: Record<string, readonly Fault[]>): Mutant[] {
  return Object.entries(faults).flatMap(([livesIn, names]) => names.map((name) => ({ name, fault: name, livesIn })))
}

const SNAPSHOT = inFile('snapshot.ts', {
  'sees without xip': ['return id < xmax && !xip.includes(id)', 'return id < xmax'],
  'sees its own xmax': ['return id < xmax && ', 'return id <= xmax && '],
  'covers without xip': ['return later.xip.every((id) => earlier.xip.includes(id))', 'return true'],
  'covers with xip the other way round': [
    'return later.xip.every((id) => earlier.xip.includes(id))',
    'return earlier.xip.every((id) => later.xip.includes(id))',
  ],
  'covers whatever has another xmax': ['return later.xmax > earlier.xmax', 'return true'],
  'xip not read': ["running === '' ? [] : running.split(',').map(transactionId)", '[] as number[]'],
})

const MERGED = 'known === undefined || known === 0 || known === transaction ? transaction : SEVERAL'
const HEARD = inFile('heard.ts', {
  'highest transaction of a tail only': [MERGED, 'Math.max(known ?? 0, transaction)'],
  'lowest transaction of a tail only': [MERGED, 'known ? Math.min(known, transaction) : transaction'],
  'first transaction of a tail only': [MERGED, 'known ? known : transaction'],
  'last transaction of a tail only': [MERGED, 'transaction'],
  'several transactions count as none': [
    'sees(snapshot, value) : covers(snapshot, this.#snapshotOf(value))',
    'sees(snapshot, value) : true',
  ],
  'first tail kept': [
    'for (const [slot, value] of brought) this.#slots[slot] =',
    'for (const [slot, value] of brought) if (this.#slots[slot] === 0) this.#slots[slot] =',
  ],
  'highest of all tails kept': [
    'for (const [slot, value] of brought) this.#slots[slot] =',
    'for (const [slot, value] of brought) if (value < 0 || value > this.#at(slot)) this.#slots[slot] =',
  ],
  'one of two slots written': [
    'for (const slot of this.slotsOf([tag]))',
    'for (const slot of this.slotsOf([tag]).slice(0, 1))',
  ],
  'only the first tag judged': ['n += 2) {\n      if (!this.#isSeen(', 'n += 1e9) {\n      if (!this.#isSeen('],
  'only the last tag of a change heard': [
    'for (const tag of tags) {\n        if',
    'for (const tag of tags.slice(-1)) {\n        if',
  ],
  'EVERYTHING not heard': [
    'if (tag === EVERYTHING) everything = merge(everything, transaction)',
    'if (tag === EVERYTHING) continue',
  ],
  'EVERYTHING not judged': ['if (!this.#isSeen(snapshot, this.#everything)) return false', ''],
  'last EVERYTHING of a tail only': [
    'if (tag === EVERYTHING) everything = merge(everything, transaction)',
    'if (tag === EVERYTHING) everything = transaction',
  ],
  'slots not forgotten': [
    'this.#slots = new Float64Array(this.#mask + 1)\n    this.#snapshots = []',
    'this.#snapshots = []',
  ],
  'EVERYTHING not forgotten': ['this.#snapshots = []\n    this.#everything = 0\n', 'this.#snapshots = []\n'],
  'numbers of snapshots not moved when old ones go': ['      this.#dropped += MOST_SNAPSHOTS / 2\n', ''],
  'dropped snapshots count as covered': [
    'covers(snapshot, this.#snapshotOf(value))',
    '-value <= this.#dropped || covers(snapshot, this.#snapshotOf(value))',
  ],
})

const HINTS = inFile('hints.ts', {
  'hints answered by a tail that began before them': [
    'const hinted = this.#isTailing ? this.#late : this.#asked',
    'const hinted = this.#asked',
  ],
  'hints that came during a tail dropped': ['else this.#asked = late\n', 'else this.#asked = new Set()\n'],
  'hints that came during a tail not asked': [' || this.#late.has(tag)', ''],
  'hints answered by a failed tail': [
    'if (hasFailed) this.add(late)\n    else this.#asked = late',
    'this.#asked = late',
  ],
  'hints that came during a failed tail dropped': ['if (hasFailed) this.add(late)', 'if (hasFailed) this.add([])'],
  'EVERYTHING in doubt is a tag like others': ['isHinted(EVERYTHING) || ', ''],
  'the end of a tail unnoticed': ['    this.#isTailing = false\n', ''],
  'too many hints dropped': ['    hinted.add(EVERYTHING)\n', ''],
})

const ANEW = 'const isAnew = isAnother || fromText !== this.seen?.text'
const NEWS = 'if (isAnew || changes === undefined || changes.length > 0)'
const KNOWLEDGE = inFile('knowledge.ts', {
  'identity not judged': [' && identity === this.identityNumber', ''],
  'number of the identity not moved': ['this.identityNumber += 1', ''],
  'no floor': [' && covers(snapshot, this.floor)', ''],
  'no floor when a tail is too big': ['if (changes === undefined) this.floor = snapshot\n    else if', 'if'],
  'floor of a tail that begins anew is nothing': ['this.floor = from\n', "this.floor = snapshotOf('1:1:')\n"],
  'old floor kept when a tail begins anew': ['this.floor = from\n', 'this.floor ??= from\n'],
  'not heard that a tail began anew': [ANEW, 'const isAnew = isAnother'],
  'another identity is not anew': [ANEW, 'const isAnew = fromText !== this.seen?.text'],
  'heard kept when a tail begins anew': [
    'if (isAnew || changes === undefined) this',
    'if (changes === undefined) this',
  ],
  'no news of changes': [NEWS, 'if (isAnew || changes === undefined)'],
  'no news of a tail that began anew': [NEWS, 'if (changes === undefined || changes.length > 0)'],
  'no news of a tail that was too big': [NEWS, 'if (isAnew || (changes !== undefined && changes.length > 0))'],
  'hints forgotten with an identity': [
    'this.identityNumber += 1',
    'this.identityNumber += 1\n      for (let n = 0; n < 2; n++) this.hints.tailEnded({ hasFailed: false })',
  ],
  'hints answered by a tail that failed': [
    'this.hints.tailEnded({ hasFailed: true })',
    'this.hints.tailEnded({ hasFailed: false })',
  ],
  'hints not told that a tail began': ['this.hints.tailBegan()', ''],
  'hints not told that a tail ended': ['    this.hints.tailEnded({ hasFailed: false })\n', ''],
  'seen not moved': ['this.seen = snapshot\n', 'this.seen ??= snapshot\n'],
})

const OUTSIDE = outside({
  'journal/functions.ts, the function tail': [
    'cursor is an xmax',
    'cursor is an xmin',
    'cursor not compared with pruned',
    'identity not compared by a tail',
    'tail in two statements',
    'any mark',
    'pruned without xip',
  ],
  'journal/functions.ts, prune, remove and finish': [
    'pruned goes down',
    'rows deleted before pruned is committed',
    'rows deleted by time',
    'rows deleted below an xmax',
  ],
  'journal/functions.ts, identity and unlogged tables': ['crash unnoticed'],
  'journal/follower.ts': ['tail told of when it ends', 'late tail taken', 'any tail answers a hint'],
  'read-path.ts': [
    'provenance of the end of a load',
    'kept without judging',
    'joined without judging',
    'joiners answered without judging',
    'found tags not looked up in hints',
    'flight crosses an identity',
    'GET crosses an identity',
    'GET judged when it begins',
    'hints not asked',
  ],
  'memory.ts': ['renewed without judging'],
  'tiered-cache.ts, write': ['own write gives no hint'],
  'announcer.ts': ['announcement believed'],
})

export const MUTANTS: readonly Mutant[] = [...SNAPSHOT, ...HEARD, ...HINTS, ...KNOWLEDGE, ...OUTSIDE]
