import t from 'tap'
import { cacheStatus, type Lookup } from '../../../routes/api/reading.js'

const LOOKUP: Lookup = {
  document: undefined,
  outcome: 'hit',
  tier: 'memory',
  ttlMs: 1_999,
  ageMs: 0,
  stored: false,
  collapsed: false,
}

t.test('Cache-Status says how an answer was found', async (t) => {
  const miss = { ...LOOKUP, outcome: 'miss', tier: undefined } as const
  const expected: [Lookup, string][] = [
    [LOOKUP, 'roundhouse; hit; ttl=1; detail=memory'],
    [{ ...LOOKUP, tier: 'redis' }, 'roundhouse; hit; ttl=1; detail=redis'],
    [{ ...LOOKUP, outcome: 'stale', ttlMs: -1 }, 'roundhouse; hit; ttl=-1; detail=memory'],
    [{ ...LOOKUP, outcome: 'stale-if-error', ttlMs: -1_001 }, 'roundhouse; hit; ttl=-2; detail=stale-if-error'],
    [miss, 'roundhouse; fwd=miss'],
    [{ ...miss, stored: true }, 'roundhouse; fwd=miss; stored'],
    [{ ...miss, stored: true, collapsed: true }, 'roundhouse; fwd=miss; stored; collapsed'],
    [{ ...miss, outcome: 'bypass' }, 'roundhouse; fwd=bypass'],
  ]
  for (const [lookup, status] of expected) t.equal(cacheStatus(lookup), status)
})
