import { Seeded } from '../../test/helpers/seeded.js'

/** What is cached: about 1 KiB as JSON, the size of a real design. */
export interface Item {
  readonly id: string
  readonly filename: string
  readonly description: string
  readonly tags: readonly string[]
  readonly price: { readonly amount: number; readonly currency: string }
  readonly is_active: boolean
}

const DESCRIPTION = 'A pattern of leaves in four colours, drawn by hand and printed on cotton. '.repeat(11)

export function itemOf(key: string): Item {
  return {
    id: key,
    filename: `${key}.png`,
    description: DESCRIPTION,
    tags: ['leaves', 'cotton', 'four colours', 'by hand'],
    price: { amount: 1999, currency: 'EUR' },
    is_active: true,
  }
}

/** `prefix` keeps caches that share one Redis apart: some read each other's values. */
export function keysOf(count: number, prefix: string): string[] {
  const slug = prefix.replace(/\W+/g, '-').slice(0, 16)
  return Array.from({ length: count }, (_, n) => `${slug}-design-${n}`)
}

/** Key numbers in an order that a seed repeats, each as likely as any other. */
export function uniformOrder(seed: number, keys: number, length: number): Uint32Array {
  const seeded = new Seeded(seed)
  return Uint32Array.from({ length }, () => seeded.below(keys))
}

/**
 * Key numbers by Zipf's law: the key of rank r comes up as often as r^-exponent, ranks strewn over the keys. Another part is another order
 * with the same ranks.
 */
export function zipfOrder(seed: number, keys: number, length: number, exponent: number, part = 0): Uint32Array {
  const seeded = new Seeded(seed)
  const sums = new Float64Array(keys)
  let sum = 0
  for (let rank = 0; rank < keys; rank++) sums[rank] = sum += (rank + 1) ** -exponent
  const keyOfRank = seeded.permutation(keys)
  const drawn = part === 0 ? seeded : new Seeded(seed + part)
  return Uint32Array.from({ length }, () => keyOfRank[rankOf(sums, drawn.next() * sum)] ?? 0)
}

/** How many different keys an order names: the loads of a cache that never forgets. */
export function distinct(order: Uint32Array): number {
  return new Set(order).size
}

/** The first rank whose running sum is above `wanted`. */
function rankOf(sums: Float64Array, wanted: number): number {
  let [low, high] = [0, sums.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sums[middle] ?? 0) > wanted) high = middle
    else low = middle + 1
  }
  return low
}
