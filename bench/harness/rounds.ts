import type { Settings } from './benchmark.js'
import type { Parameters, Sample } from './contender.js'
import { ContenderProcess } from './contender-process.js'

/** The samples of every contender, one a round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

/** Opens the contenders, lets `work` use them, and ends their processes. */
export async function withContenders<T>(
  { module, names, parameters = {} }: { module: string; names: readonly string[]; parameters?: Parameters },
  work: (contenders: readonly ContenderProcess[]) => Promise<T>,
): Promise<T> {
  const opened: ContenderProcess[] = []
  try {
    for (const name of names) opened.push(await ContenderProcess.open({ module, name, parameters }))
    return await work(opened)
  } finally {
    await Promise.all(opened.map((contender) => contender.close()))
  }
}

/**
 * Every contender takes one turn a round, one after the other, and each round begins with the next one: what disturbs
 * the machine for a while disturbs all of them. The first round only warms up.
 */
export async function interleave(
  contenders: readonly ContenderProcess[],
  { turn, settings }: { readonly turn: string; readonly settings: Settings },
): Promise<Samples> {
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= settings.rounds; round++) {
    for (let n = 0; n < contenders.length; n++) {
      const contender = contenders[(n + round) % contenders.length]
      if (contender === undefined) continue
      const sample = await contender.turn(turn, settings.roundMs)
      if (round > 0) samples.get(contender.name)?.push(sample)
    }
  }
  return samples
}
