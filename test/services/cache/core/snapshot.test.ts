import fc from 'fast-check'
import t from 'tap'
import { covers, parseSnapshot, sees, type Snapshot, transactionId } from '../../../../services/cache/core/snapshot.js'

/** What a server shows after each of these: `true` begins a transaction, a number ends one of those that run. */
type Happening = true | number

function parsed(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`no snapshot: ${text}`)
  return snapshot
}

/** One snapshot after every happening, in the order of time, with the ids that had ended by then. */
function historyOf(
  happenings: readonly Happening[],
  firstId: number,
): { snapshot: Snapshot; ended: readonly number[] }[] {
  const running: number[] = []
  const ended: number[] = []
  let nextId = firstId
  return happenings.map((happening) => {
    if (happening === true) running.push(nextId++)
    else if (running.length > 0) ended.push(...running.splice(happening % running.length, 1))
    const xmax = Math.max(firstId - 1, ...ended) + 1
    const xip = running.filter((id) => id < xmax)
    return { snapshot: parsed(`${xip[0] ?? xmax}:${xmax}:${xip.join()}`), ended: [...ended] }
  })
}

const histories = fc.tuple(
  fc.array(fc.oneof(fc.constant(true as const), fc.nat({ max: 20 })), { minLength: 2, maxLength: 40 }),
  fc.constantFrom(3, 4_294_967_295, Number.MAX_SAFE_INTEGER - 60),
)

t.test('a snapshot sees what had ended when it was taken, and nothing else, with ids of any size', async (t) => {
  fc.assert(
    fc.property(histories, ([happenings, firstId]) => {
      for (const { snapshot, ended } of historyOf(happenings, firstId)) {
        for (let id = firstId; id < firstId + 45; id++) if (sees(snapshot, id) !== ended.includes(id)) return false
      }
      return true
    }),
  )
  t.pass()
})

t.test('whoever covers a snapshot sees all that it sees, and of two one covers the other', async (t) => {
  fc.assert(
    fc.property(histories, ([happenings, firstId]) => {
      const history = historyOf(happenings, firstId)
      return history.every(({ snapshot: later, ended }, n) =>
        history.slice(0, n + 1).every(({ snapshot: earlier, ended: endedBefore }) => {
          const isSame = ended.length === endedBefore.length
          return covers(later, earlier) && covers(earlier, later) === isSame
        }),
      )
    }),
  )
  t.pass()
})

t.test('a transaction that was running for long is not seen by those who covered much since', async (t) => {
  const [before, after] = [parsed('5:900:5'), parsed('900:900:')]
  t.notOk(sees(before, 5))
  t.ok(sees(before, 899))
  t.ok(covers(after, before))
  t.notOk(covers(before, after), 'one xmax, and yet one of them sees more')
})

t.test('whatever somebody wrote into Redis is a snapshot or undefined, never an error', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9:,\n -]{0,30}$/)), (text) => {
      const snapshot = parseSnapshot(text)
      if (snapshot === undefined) return true
      const { xmax, xip } = snapshot
      return (
        Number.isSafeInteger(xmax) && xmax > 0 && xip.every((id) => Number.isSafeInteger(id) && id > 0 && id < xmax)
      )
    }),
    { numRuns: 2_000 },
  )
  for (const text of ['1:5\n:', '1:5:3\n', '1:٥:', '1:5:2,,3', '1:5:2:3', '1:0x5:', '1:5.0:', '1:+5:', '1:5:3, 4']) {
    t.equal(parseSnapshot(text), undefined, JSON.stringify(text))
  }
})

t.test('ids end where numbers stop being exact', async (t) => {
  t.match(parseSnapshot('1:9007199254740991:9007199254740990'), { xmax: Number.MAX_SAFE_INTEGER })
  t.equal(parseSnapshot('1:9007199254740992:'), undefined)
  t.equal(parseSnapshot('1:18446744073709551615:'), undefined, 'the last xid8')
  for (const text of ['', '-1', '1e3', ' 1', '1 ', '00000000000000001']) t.equal(transactionId(text), -1, `"${text}"`)
})
