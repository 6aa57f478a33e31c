import type { Lookup, Outcome } from '../cache/index.js'
import type { Document } from './document.js'
import { pageDocument } from './row-document.js'

/** From the best to the worst that can be said of how current an answer is. */
const OUTCOMES: readonly Outcome[] = ['hit', 'stale', 'miss', 'bypass', 'stale-if-error']

/**
 * Several single documents as one page, in their order, without those that are not there. How it was found is what
 * is true of all of them.
 */
export function combinedLookup(
  lookups: readonly Lookup<Document>[],
  nextCursor: string | null = null,
): Lookup<Document> {
  return { ...foundAs(lookups), value: pageDocument(textsIn(lookups), nextCursor) }
}

/** The texts of the documents that are there. */
export function textsIn(lookups: readonly { readonly value: Document | undefined }[]): string[] {
  return lookups.flatMap(({ value }) => value?.json ?? [])
}

/** How an answer was found that has these parts: the worst outcome, and of those that have it the least time left and the greatest age. */
export function foundAs(parts: readonly Lookup[]): Omit<Lookup, 'value'> {
  const worst = Math.max(0, ...parts.map(({ outcome }) => OUTCOMES.indexOf(outcome)))
  const outcome = OUTCOMES[worst] ?? 'bypass'
  const decisive = parts.filter((part) => part.outcome === outcome)
  return {
    outcome,
    tier: decisive.find(({ tier }) => tier !== 'memory')?.tier ?? decisive[0]?.tier,
    ttlMs: Math.min(...decisive.map(({ ttlMs }) => ttlMs)),
    ageMs: Math.max(...decisive.map(({ ageMs }) => ageMs)),
    stored: decisive.every(({ stored }) => stored),
    collapsed: decisive.every(({ collapsed }) => collapsed),
  }
}
