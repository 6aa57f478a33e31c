import t from 'tap'
import type { TailAnswer } from '../../../../services/cache/journal/journal.js'
import { Knowledge, type Provenance } from '../../../../services/cache/core/knowledge.js'

type Answer = TailAnswer & { readonly identity: string }

const FIRST: Answer = { snapshot: '10:10:', from: '10:10:', identity: 'one', fault: undefined, changes: [] }

/** After a first tail, unless there are others. */
function knowing(...answers: readonly Answer[]): Knowledge {
  const knowledge = new Knowledge({ slots: 1_024, seed: 1 })
  for (const answer of answers.length === 0 ? [FIRST] : answers) {
    knowledge.tailBegan()
    knowledge.take(answer)
  }
  return knowledge
}

function stampOf(knowledge: Knowledge): Provenance {
  const provenance = knowledge.provenance()
  if (provenance === undefined) throw new Error('nothing is seen yet')
  return provenance
}

t.test('before the first tail nothing is current, and nothing that was read can be kept', async (t) => {
  const knowledge = new Knowledge({ slots: 16, seed: 1 })
  t.equal(knowledge.provenance(), undefined)
  t.notOk(knowledge.isCurrent(undefined, []))
  t.notOk(knowledge.isCurrent({ identity: 0, snapshot: stampOf(knowing()).snapshot }, []))
})

t.test('a tail that failed changes nothing but keeps its hints', async (t) => {
  const knowledge = knowing()
  const [provenance, { news, floor, identityNumber }] = [stampOf(knowledge), knowledge]
  knowledge.hints.add(['a'])
  knowledge.tailBegan()
  knowledge.tailFailed()
  t.same(stampOf(knowledge), provenance)
  t.match(knowledge, { news, floor, identityNumber })
  t.ok(knowledge.hints.has(['a']))
})

t.test('hints outlive a change of identity', async (t) => {
  const knowledge = knowing()
  knowledge.tailBegan()
  knowledge.hints.add(['a'])
  t.ok(knowledge.take({ ...FIRST, identity: 'two' }))
  t.ok(knowledge.hints.has(['a']))
})

t.test('what was read under an identity is not current under another, nor when the first one comes back', async (t) => {
  const knowledge = knowing()
  const provenance = stampOf(knowledge)
  for (const identity of ['two', 'one']) {
    knowledge.tailBegan()
    t.ok(knowledge.take({ ...FIRST, identity }), identity)
    t.notOk(knowledge.isCurrent(provenance, []), identity)
    t.ok(knowledge.isCurrent(knowledge.provenance(), []))
  }
})

t.test('a change of identity is noticed even where both histories show one snapshot', async (t) => {
  const changes = [{ transaction: 9, tags: ['a'] }]
  const knowledge = knowing(FIRST, { ...FIRST, from: '10:10:', snapshot: '11:11:', changes })
  const { news } = knowledge
  t.ok(knowledge.take({ ...FIRST, identity: 'two', from: '11:11:', snapshot: '11:11:' }))
  t.equal(knowledge.floor?.text, '11:11:')
  t.not(knowledge.news, news)
})

t.test('a start at a mark makes older entries of others current, except those of what changed since', async (t) => {
  const changes = [{ transaction: 12, tags: ['a'] }]
  const knowledge = knowing({ ...FIRST, from: '10:12:10,11', snapshot: '13:13:', changes })
  const { heard } = knowledge
  const at = (text: string): Provenance => ({
    ...stampOf(knowledge),
    snapshot: stampOf(knowing({ ...FIRST, snapshot: text })).snapshot,
  })
  t.ok(knowledge.isCurrent(at('10:12:10,11'), heard.slotsOf(['b'])), 'the floor itself')
  t.notOk(knowledge.isCurrent(at('9:12:9,10,11'), heard.slotsOf(['b'])), 'one xmax, but it sees less')
  t.ok(knowledge.isCurrent(at('10:12:10'), heard.slotsOf(['b'])))
  t.notOk(knowledge.isCurrent(at('10:12:10'), heard.slotsOf(['b', 'a'])))
  t.ok(knowledge.isCurrent(at('13:13:'), heard.slotsOf(['b', 'a'])))
})

t.test('news move for a change, a gap and a tail too big to be read, and stand still otherwise', async (t) => {
  const knowledge = knowing()
  const isNews = (answer: Partial<Answer>): boolean => {
    const before = knowledge.news
    knowledge.tailBegan()
    knowledge.take({ ...FIRST, from: knowledge.seen?.text ?? '', ...answer })
    return knowledge.news !== before
  }
  t.notOk(isNews({ snapshot: '10:10:' }))
  t.notOk(isNews({ snapshot: '12:12:' }), 'transactions that changed nothing')
  t.ok(isNews({ snapshot: '13:13:', changes: [{ transaction: 12, tags: ['a'] }] }))
  t.ok(isNews({ snapshot: '14:14:', changes: undefined }))
  t.ok(isNews({ snapshot: '15:15:', from: '12:12:' }))
  t.ok(isNews({ snapshot: '15:15:', identity: 'two' }))
})

t.test('a provenance is renewed up to the last tail, never backwards', async (t) => {
  const knowledge = knowing(FIRST, { ...FIRST, from: '10:10:', snapshot: '10:12:10' })
  const older = stampOf(knowing())
  const ahead = { ...older, snapshot: stampOf(knowing({ ...FIRST, snapshot: '12:12:' })).snapshot }
  t.equal(knowledge.renewed(older).snapshot.text, '10:12:10')
  t.equal(knowledge.renewed(knowledge.renewed(older)).snapshot.text, '10:12:10')
  t.equal(knowledge.renewed(ahead), ahead, 'another replica has seen more')
  t.equal(new Knowledge({ slots: 16, seed: 1 }).renewed(older), older)
})

t.test('a journal that gives no snapshot is an error, and changes nothing', async (t) => {
  const knowledge = knowing()
  t.throws(() => knowledge.take({ ...FIRST, snapshot: 'none', identity: 'two' }), /gave no snapshot but none/)
  t.equal(knowledge.identity, 'one')
  t.ok(knowledge.isCurrent(knowledge.provenance(), []))
})

t.test('a tail that throws half-way leaves nothing known, so the next one begins as the first did', async (t) => {
  const knowledge = knowing()
  const [old, { news }] = [stampOf(knowledge), knowledge]
  knowledge.hints.add(['a'])
  knowledge.tailBegan()
  const changes = [{ transaction: 10, tags: ['a', null] }] as unknown as Answer['changes']
  t.throws(() => knowledge.take({ ...FIRST, snapshot: '11:11:', identity: 'two', changes }))
  t.match(knowledge, { identity: undefined, seen: undefined, floor: undefined })
  t.not(knowledge.news, news, 'hits look again')
  t.notOk(knowledge.isCurrent(old, []))
  t.ok(knowledge.hints.has(['a']), 'no tail has told of it')
  knowledge.tailBegan()
  t.ok(
    knowledge.take({ ...FIRST, snapshot: '11:11:', from: '11:11:', identity: 'one' }),
    'what was read before must go',
  )
  t.notOk(knowledge.isCurrent(old, []), 'also under the identity of before')
})
