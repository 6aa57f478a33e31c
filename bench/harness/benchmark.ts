import type { Spread } from './statistics.js'

/** How a benchmark is to be run. */
export interface Settings {
  /** Interleaved rounds that count; one more before them only warms up. */
  readonly rounds: number
  /** Length of one contender's turn in a round, in ms. */
  readonly roundMs: number
  /** Shows only that everything starts: figures mean nothing, peers stay out. */
  readonly isSmoke: boolean
  /** Sizes that take minutes to make, too. */
  readonly isLarge: boolean
  readonly hasPeers: boolean
  readonly seed: number
}

/** `>= 0.9` or `<= 110`, of a row's ratio or of its value. */
export interface Target {
  readonly of: 'ratio' | 'value'
  readonly atLeast?: number
  readonly atMost?: number
}

/** One line of a table: what was measured, and how it stands to the floor of the same rounds. */
export interface Row {
  readonly name: string
  readonly value: Spread
  readonly unit: string
  /** Absent where the row has no floor, or is it. */
  readonly ratio?: Spread | undefined
  readonly target?: Target | undefined
  /** Further figures of the row, in words. */
  readonly note?: string | undefined
}

export interface Table {
  readonly title: string
  /** What a ratio of 1 is. */
  readonly floor?: string
  readonly rows: readonly Row[]
  /** Why another cache may be ahead of ours here: what it does not do. */
  readonly whyBehind?: string
  /** What the next reader must know to read the figures right. */
  readonly notes?: readonly string[]
}

/** What a benchmark is, and how it is run. */
export interface Benchmark {
  readonly title: string
  /** The sizes it works with, for the heading. */
  readonly parameters: Readonly<Record<string, string | number>>
  readonly run: (settings: Settings) => Promise<readonly Table[]>
}

export function isMet({ value, ratio, target }: Row): boolean | undefined {
  if (target === undefined) return undefined
  const found = target.of === 'ratio' ? ratio?.median : value.median
  if (found === undefined) return false
  return found >= (target.atLeast ?? Number.NEGATIVE_INFINITY) && found <= (target.atMost ?? Number.POSITIVE_INFINITY)
}
