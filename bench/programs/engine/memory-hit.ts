import { OURS, PEERS } from '../../contenders/names.js'
import type { Benchmark } from '../../harness/benchmark.js'
import { sibling } from '../../harness/contender-process.js'
import { interleave, withContenders } from '../../harness/rounds.js'
import { rateRows } from '../../harness/rows.js'

const MODULE = sibling(import.meta.url, '../../contenders/hits')
const KEYS = 500
/** As a service reads: it has ids, and makes the key of them. */
const MADE = 'lru-cache, key made per call'
const PROMISED = [OURS, 'lru-cache', MADE, ...PEERS]
const SYNCHRONOUS = [OURS, 'Map', 'lru-cache', 'layered-loader']

const WHY_BEHIND =
  'it has its keys at hand and asks no clock how old its knowledge is; ours makes the address and reads two clocks'

export const benchmark: Benchmark = {
  title: 'hits in memory, against what a bounded map alone costs',
  parameters: { keys: KEYS, 'value (bytes)': 1024 },
  run: (settings) => {
    const names = settings.hasPeers ? [...new Set([...PROMISED, ...SYNCHRONOUS])] : [OURS, 'lru-cache', MADE, 'Map']
    const parameters = { keys: KEYS, memoryItems: 2 * KEYS, seed: settings.seed, isSmoke: settings.isSmoke }
    return withContenders({ module: MODULE, names, parameters }, async (all) => {
      const take = (turn: string, wanted: readonly string[]) =>
        interleave(
          all.filter(({ name }) => wanted.includes(name)),
          { turn, settings },
        )
      const notes = [
        'Every contender answers from a promise; lru-cache is asked in an async function, as any `getOrLoad` over it would.',
        'Ours makes the address (key, tags, lifetimes) for each read, as a service does. The others have their keys at hand.',
      ]
      return [
        {
          title: 'getOrLoad, one at a time',
          floor: MADE,
          rows: rateRows(await take('one', PROMISED), {
            floor: MADE,
            targets: { [OURS]: { of: 'ratio', atLeast: 0.7 } },
          }),
          whyBehind: WHY_BEHIND,
          notes,
        },
        {
          title: 'getOrLoad, 64 at a time',
          floor: MADE,
          rows: rateRows(await take('64', PROMISED), {
            floor: MADE,
            targets: { [OURS]: { of: 'ratio', atLeast: 0.9 } },
          }),
          whyBehind: WHY_BEHIND,
        },
        {
          title: 'synchronous read',
          floor: 'Map.get',
          rows: rateRows(await take('synchronous', SYNCHRONOUS), {
            floor: 'Map',
            targets: { [OURS]: { of: 'ratio', atLeast: 0.3 } },
          }),
          whyBehind: WHY_BEHIND,
          notes: [
            'Ours is `peek`: barrier, lifetime and every tag checked, the hit counted and recorded as recently used.',
          ],
        },
      ]
    })
  },
}
