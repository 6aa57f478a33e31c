import t from 'tap'
import { weightOf } from '../../../routes/api/accept.js'

const EVENTS = 'text/event-stream'

t.test('what an Accept header names, it wants by its weight', (t) => {
  for (const [accept, weight] of [
    ['text/event-stream', 1],
    ['Text/Event-Stream', 1],
    ['application/json;q=0.9 , text/event-stream', 1],
    ['text/event-stream;q=0.5', 0.5],
    ['text/event-stream ; charset=utf-8 ; Q=0.25', 0.25],
    ['text/event-stream;a=",";q=0.5', 0.5],
    ['text/event-stream;q=1.000;ext=1', 1],
    [',, text/event-stream', 1],
  ] as const)
    t.equal(weightOf(accept, EVENTS), weight, accept)
  t.end()
})

t.test('what it refuses or does not name it does not want', (t) => {
  for (const accept of [
    undefined,
    '',
    '*/*',
    'text/*',
    'text/event-stream;q=0',
    'text/event-stream;charset=utf-8;q=0',
    'text/event-stream ;q=0.000; a=b',
    'text/event-stream;Q=0',
    'text/event-stream;q=',
    'text/event-stream;q=2',
    'text/event-stream;q=-1',
    'text/event-stream;q=0.0001',
    'text/event-stream, text/event-stream;q=0',
    'text/event-streams',
    'x-text/event-stream',
    'application/json;a="text/event-stream"',
    'application/json;a=", text/event-stream"',
    'application/json;a=", text/event-stream',
  ])
    t.equal(weightOf(accept, EVENTS), 0, String(accept))
  t.end()
})

t.test('however it is made, it is read in a time as long as itself', (t) => {
  const at = performance.now()
  for (const part of ['"', '\\', '"\\', ',', ';', 'q=', ' ', 'text/event-stream;'])
    weightOf(`${part.repeat(16_000)}"`, EVENTS)
  t.ok(performance.now() - at < 2_000)
  t.end()
})
