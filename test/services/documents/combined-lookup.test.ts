import t from 'tap'
import type { Lookup } from '../../../services/cache/index.js'
import { combinedLookup } from '../../../services/documents/combined-lookup.js'
import { Document } from '../../../services/documents/document.js'

const HIT: Lookup<Document> = {
  value: new Document('{"n":1}', '"1"'),
  outcome: 'hit',
  tier: 'memory',
  ttlMs: 500,
  ageMs: 10,
  stored: false,
  collapsed: false,
}
const MISS: Lookup<Document> = { ...HIT, outcome: 'miss', tier: undefined, ttlMs: 900, ageMs: 0, stored: true }

t.test('several documents are one page in their order, without those that are not there', async (t) => {
  const second = { ...HIT, value: new Document('{"n":2}', '"2"') }
  const { value } = combinedLookup([HIT, { ...HIT, value: undefined }, second])
  t.equal(value?.json, '{"items":[{"n":1},{"n":2}],"next_cursor":null}')
})

t.test('what is said of it is true of each: the worst outcome and the least time left', async (t) => {
  t.match(combinedLookup([HIT, { ...HIT, ttlMs: 200, ageMs: 70 }]), {
    outcome: 'hit',
    tier: 'memory',
    ttlMs: 200,
    ageMs: 70,
  })
  t.match(combinedLookup([HIT, { ...HIT, tier: 'redis' }]), { outcome: 'hit', tier: 'redis' })
  t.match(combinedLookup([HIT, { ...HIT, outcome: 'stale', ttlMs: -5 }]), { outcome: 'stale', ttlMs: -5 })
  t.match(combinedLookup([MISS, HIT]), { outcome: 'miss', tier: undefined, stored: true })
  t.match(combinedLookup([MISS, { ...MISS, stored: false, collapsed: true }]), { stored: false, collapsed: false })
  t.match(combinedLookup([MISS, { ...HIT, outcome: 'stale-if-error' }]), { outcome: 'stale-if-error' })
})
