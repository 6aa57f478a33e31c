import t from 'tap'
import { remembered, takesGzip } from '../../../routes/api/accept-encoding.js'

const TAKEN = [
  'gzip',
  'GZip',
  'x-gzip',
  'X-GZIP;Q=0.3',
  'gzip, deflate, br, zstd',
  'br;q=1.0, gzip;q=0.8, *;q=0.1',
  'deflate , gzip ; q=0.5',
  'gzip;q=0.001',
  'gzip;q=1.000',
  'gzip;q=1.',
  '*',
  '*;q=0.5',
  'br, *',
  'gzip;q=0.5, *;q=0',
  'identity;q=0, gzip;q=0.1',
  'identity;q=0, *;q=0.1',
  'identity;q=0.5, gzip;q=0.5',
  'gzip, identity;q=0.9',
  ', gzip,,',
  'deflate;q=nonsense, gzip',
]

const NOT_TAKEN = [
  '',
  ' ',
  'identity',
  'br',
  'deflate, br',
  'gzip;q=0',
  'gzip;q=0.000',
  'GZIP;Q=0',
  'x-gzip;q=0',
  'gzip;q=0, *',
  'x-gzip;q=0, gzip',
  'gzip, gzip;q=0',
  '*;q=0',
  '*;q=0, br',
  'identity, gzip;q=0.9',
  'gzip;q=0.5, *',
  'identity;q=0',
  'gzipped',
  'gzip2, gzi',
  '"gzip"',
  'gzip q=1',
  'gzip;',
  'gzip;q',
  'gzip;q=',
  'gzip;q=2',
  'gzip;q=-1',
  'gzip;q=1.001',
  'gzip;q=0.1234',
  'gzip;q=nonsense',
  'gzip;q=nonsense, *',
  'gzip;q = 1',
  'gzip;level=9',
  'gzip;q=1;level=9',
  ';q=1',
  ';;;,,,===',
  '__proto__',
  '\u0000',
]

t.test('gzip is taken by who names it, or a star, and would not rather have the plain bytes', async (t) => {
  for (const text of TAKEN) t.equal(takesGzip(text), true, JSON.stringify(text))
})

t.test('everything else is sent the plain bytes, malformed text too', async (t) => {
  for (const text of NOT_TAKEN) t.equal(takesGzip(text), false, JSON.stringify(text))
  t.equal(takesGzip(undefined), false, 'no header')
})

t.test('a text is judged once, and few texts are remembered', async (t) => {
  const asked: string[] = []
  const judge = remembered((text) => {
    asked.push(text)
    return text === 'yes'
  }, 2)
  for (const text of ['yes', 'no', 'yes', 'no']) t.equal(judge(text), text === 'yes')
  t.same(asked, ['yes', 'no'])
  judge('a third')
  t.equal(judge('yes'), true)
  t.same(asked, ['yes', 'no', 'a third', 'yes'], 'started over')
})
