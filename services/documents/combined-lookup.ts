import type { Lookup, Outcome } from '../cache/index.js'
import type { Document } from './document.js'
import { pageDocument } from './row-document.js'

/** From the best to the worst that can be said of how current an answer is. */
const OUTCOMES: readonly Outcome[] = ['hit', 'stale', 'miss', 'bypass', 'stale-if-error']

/**
 * Several single documents as one page, in their order, without those that are not there. How it was found is what
 * is true of all of them: the worst outcome, the least time left, the greatest age.
 */
export function combinedLookup(
  lookups: readonly Lookup<Document>[],
  nextCursor: string | null = null,
): Lookup<Document> {
  const worst = Math.max(0, ...lookups.map(({ outcome }) => OUTCOMES.indexOf(outcome)))
  const outcome = OUTCOMES[worst] ?? 'bypass'
  const decisive = lookups.filter((lookup) => lookup.outcome === outcome)
  return {
    value: pageDocument(
      lookups.flatMap(({ value }) => value?.json ?? []),
      nextCursor,
    ),
    outcome,
    tier: decisive.find(({ tier }) => tier !== 'memory')?.tier ?? decisive[0]?.tier,
    ttlMs: Math.min(...decisive.map(({ ttlMs }) => ttlMs)),
    ageMs: Math.max(...decisive.map(({ ageMs }) => ageMs)),
    stored: decisive.every(({ stored }) => stored),
    collapsed: decisive.every(({ collapsed }) => collapsed),
  }
}
