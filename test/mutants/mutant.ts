/** A piece of the source, and what stands there in the mutant. */
export interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
}

/** The source without one guard of the protocol, and who must notice. */
export interface Mutant {
  /** What the guard sees to. */
  readonly name: string
  readonly edits: readonly Edit[]
  /** Test files under test/, without `.test.ts`; each of them must fail. */
  readonly noticedBy: readonly string[]
  /** Explored schedules must find it too, within this many. */
  readonly schedules?: number
}

/** The same, which explored schedules must notice too. */
export function explored(mutant: Mutant, schedules: number): Mutant {
  return { ...mutant, schedules }
}

/** Made by one edit of a file of services/cache, and noticed by tests of the cache. */
export function mutant(name: string, file: string, from: string, to: string, ...noticedBy: readonly string[]): Mutant {
  return serviceMutant(name, `cache/${file}`, from, to, ...noticedBy.map((test) => `services/cache/${test}`))
}

/** Made by one edit of a file of services. */
export function serviceMutant(
  name: string,
  file: string,
  from: string,
  to: string,
  ...noticedBy: readonly string[]
): Mutant {
  return { name, edits: [{ file: `services/${file}.ts`, from, to }], noticedBy }
}
