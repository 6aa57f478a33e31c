import t from 'tap'
import { tokenHash, tokenOwner, tokenText } from '../../../services/users/token-text.js'

const USER_ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'

t.test('a token names its user and nothing else of them', async (t) => {
  const text = tokenText(USER_ID, new Uint8Array(32).fill(255))
  t.equal(text.length, 3 + 22 + 1 + 43)
  t.equal(tokenOwner(text), USER_ID)
})

t.test('what is not exactly a token has no owner', async (t) => {
  const text = tokenText(USER_ID, new Uint8Array(32))
  // The last character of 22 carries two spare bits: another spelling of the same bytes must not be a second token.
  const respelt = text.replace(/^(rh_.{21})./, '$1R')
  for (const bad of ['', 'rh_', text.slice(0, -1), `${text}A`, text.replace('rh_', 'rx_'), respelt]) {
    t.equal(tokenOwner(bad), undefined, bad)
  }
})

t.test('the hash is SHA-256 in hex', async (t) => {
  t.equal(tokenHash('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
