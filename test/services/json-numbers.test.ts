import t from 'tap'
import { inexactNumber } from '../../services/json-numbers.js'

const changed = (text: string): string | undefined => inexactNumber(text)?.path.join('.')

t.test('a number is changed where JavaScript has no such number', async (t) => {
  for (const number of [
    '9007199254740992',
    '-9007199254740992',
    '9007199254740993',
    '1729382256910270464',
    '9007199254740991.5',
    '9007199254740993e1',
    '1e999',
    '-1E+400',
    '1e-400',
    '9007199254740992.0',
    '-9.007199254740992e15',
    '12345678901234568',
    '1.2345678901234568E+16',
    '100000000000000000001',
    '0.12345678901234567890',
    '123456789.12345678912',
  ]) {
    t.equal(changed(`{"a":${number}}`), 'a', number)
    t.equal(changed(`[ ${number}]`), '0', number)
    t.equal(changed(`{"a":"${number}, ${number}"}`), undefined, 'a text is a text')
  }
})

t.test('and is not changed where it is only written in another way', async (t) => {
  for (const number of [
    '0',
    '-0',
    '0e5',
    '0.0000000000000000000',
    '9007199254740991',
    '-9007199254740991',
    '9007199254740991.0',
    '9007199254740990e1',
    '1e3',
    '1e16',
    '123e15',
    '1.5e17',
    '1e20',
    '100000000000000000000',
    '-1.2345678901234568e+20',
    '1e21',
    `1${'0'.repeat(300)}`,
    '1.7976931348623157e308',
    '1e308',
    '1.50E-3',
    '5e-324',
    '0.1',
    '0.10000000000000000000',
    '0.000001234567890123',
    '1.7976931348623157',
    String(Math.PI),
    String(1 / 3),
    String(Number.MIN_VALUE),
  ]) {
    t.equal(changed(`{"a":${number}}`), undefined, number)
    const answered = JSON.stringify(JSON.parse(`{"a":${number}}`))
    t.equal(changed(answered), undefined, `${answered}, as it is answered`)
    t.same(JSON.parse(answered), JSON.parse(`{"a":${number}}`))
  }
})

t.test('the field is named, whatever stands before it', async (t) => {
  const texts: [text: string, path: string][] = [
    ['{"a":{"b":"}{][,:\\""},"c":[1,[2,{"d":1e999}]]}', 'c.1.1.d'],
    ['{"a":[],"b":{},"c":[{},[],1e999]}', 'c.2'],
    ['{"\\u0061\\"":1e999}', 'a"'],
    ['[1,2,3,-1e999]', '3'],
  ]
  for (const [text, path] of texts) {
    JSON.parse(text)
    t.equal(changed(text), path, text)
  }
})

t.test('what is made to be slow is not', async (t) => {
  const begun = performance.now()
  for (const text of [
    `[1e1,"${'\\\\'.repeat(500_000)}"]`,
    `[1e1,0.${`1${'0'.repeat(999)}`.repeat(1_000)}1]`,
    `[1e1,0.1${'0'.repeat(1_000_000)}1]`,
    `[1e1,${'['.repeat(500_000)}${']'.repeat(500_000)}]`,
    `[${'1 ,'.repeat(300_000)}1e1]`,
  ]) {
    changed(text)
  }
  t.ok(performance.now() - begun < 5_000)
})
