import t from 'tap'
import { tokenHash, TokenTexts } from '../../../services/users/token-text.js'
import { packUuid } from '../../../services/uuid-text.js'

const USER_ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const texts = new TokenTexts(['a secret'])
const text = texts.make(USER_ID, new Uint8Array(32).fill(255))

t.test('a token names its user and nothing else of them, and proves that it was made here', async (t) => {
  t.match(text, /^rh2_[\w-]{22}_[\w-]{43}_[\w-]{22}$/)
  t.same(texts.read(text), { userId: USER_ID, isProven: true })
})

t.test('what is not exactly a token of this service is none', async (t) => {
  // The last character of 22 carries spare bits: another spelling of the same bytes must not be a second token.
  const respelt = [text.replace(/^(rh2_.{21})./, '$1R'), `${text.slice(0, -1)}${text.endsWith('B') ? 'C' : 'B'}`]
  // By their places: an underscore may also stand inside of each.
  const [owner, secret, mac] = [text.slice(4, 26), text.slice(27, 70), text.slice(71)]
  const invented = [
    `rh2_${packUuid('01a2069f-4382-76fe-94e2-50d41d9cb576')}_${secret}_${mac}`,
    `rh2_${owner}_${'A'.repeat(43)}_${mac}`,
    `rh2_${owner}_${secret}_${'A'.repeat(22)}`,
    `rh2_${owner}_${secret}`,
    new TokenTexts(['another secret']).make(USER_ID, new Uint8Array(32)),
  ]
  for (const bad of [
    '',
    'rh2_',
    text.slice(0, -1),
    `${text}A`,
    text.replace('rh2_', 'rx2_'),
    ...respelt,
    ...invented,
  ]) {
    t.equal(texts.read(bad), undefined, bad)
  }
})

t.test('tokens of an older secret stay good, new ones are made with the first', async (t) => {
  const both = new TokenTexts(['a new secret', 'a secret'])
  t.same(both.read(text), { userId: USER_ID, isProven: true })
  t.equal(texts.read(both.make(USER_ID, new Uint8Array(32))), undefined)
})

t.test('tokens of the releases before are read, and prove nothing', async (t) => {
  const old = `rh_${packUuid(USER_ID)}_${'A'.repeat(43)}`
  t.same(texts.read(old), { userId: USER_ID, isProven: false })
  for (const bad of [`${old}A`, old.slice(0, -1), old.replace(/^(rh_.{21})./, '$1R')])
    t.equal(texts.read(bad), undefined, bad)
})

t.test('the hash is SHA-256 in hex', async (t) => {
  t.equal(tokenHash('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
