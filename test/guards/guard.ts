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
  /** Test files under test/services/cache, without `.test.ts`; each of them must fail. */
  readonly noticedBy: readonly string[]
  /** Explored schedules must find it too, within this many. */
  readonly schedules?: number
}

/** The same guard, which explored schedules must miss too. */
export function explored(guard: Guard, schedules: number): Guard {
  return { ...guard, schedules }
}

/** Taken out by one edit of a file of services/cache. */
export function guard(name: string, file: string, from: string, to: string, ...noticedBy: readonly string[]): Guard {
  return { name, edits: [{ file: `services/cache/${file}.ts`, from, to }], noticedBy }
}
