import { ENGINE_GUARDS } from './engine-guards.js'
import { REDIS_GUARDS } from './redis-guards.js'

/** A piece of the source, and what stands there once the guard is out. */
export interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
}

/** One guard of the protocol, how to take out exactly that one, and who must notice. */
export interface Guard {
  /** What it sees to, in words. */
  readonly name: string
  readonly edits: readonly Edit[]
  /** Test files under test/services/cache, without `.test.ts`; one of them must fail. */
  readonly noticedBy: readonly string[]
  /** Explored schedules must find it too, within this many. */
  readonly schedules?: number
}

export const GUARDS: readonly Guard[] = [...REDIS_GUARDS, ...ENGINE_GUARDS]
