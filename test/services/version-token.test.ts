import t from 'tap'
import { InvalidVersionError } from '../../services/errors.js'
import { VersionTokens } from '../../services/version-token.js'

const SECRET = 'a secret of 32 characters at least'
const HERE = 'one history of the database'
const LATEST = 2 ** 53 - 1

t.test('a token says which transaction it is of, and whether that is of the history asked about', async (t) => {
  const tokens = new VersionTokens(SECRET)
  for (const transaction of [3, 781, 2 ** 40, LATEST]) {
    const token = tokens.seal({ identity: HERE, transaction })
    t.same(tokens.open(token, HERE), { transaction, isOfThisHistory: true })
    t.same(tokens.open(token, 'another history'), { transaction, isOfThisHistory: false })
  }
})

t.test('whoever has the same secret can open it, and nobody else', async (t) => {
  const token = new VersionTokens(SECRET).seal({ identity: HERE, transaction: 7 })
  t.match(new VersionTokens(SECRET).open(token, HERE), { transaction: 7 })
  t.throws(() => new VersionTokens(`${SECRET}.`).open(token, HERE), InvalidVersionError)
})

t.test('no byte of it can be changed, left out or added', async (t) => {
  const tokens = new VersionTokens(SECRET)
  const token = tokens.seal({ identity: HERE, transaction: 7 })
  const bytes = Buffer.from(token, 'base64url')
  for (let n = 0; n < bytes.length; n++) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(n) ^ 1, n)
    t.throws(() => tokens.open(changed.toString('base64url'), HERE), InvalidVersionError, `byte ${n}`)
  }
  for (const other of [
    '',
    token.slice(1),
    token.slice(0, -1),
    `${token}A`,
    ` ${token}`,
    `${token}=`,
    `${token}, ${token}`,
  ]) {
    t.throws(() => tokens.open(other, HERE), InvalidVersionError, other)
  }
  // The last character of this length has bits that are not used: another spelling of the same bytes is not taken either.
  const last = token.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spellings = alphabet
    .split('')
    .filter((letter) => letter !== last)
    .map((letter) => `${token.slice(0, -1)}${letter}`)
  for (const spelling of spellings) t.throws(() => tokens.open(spelling, HERE), InvalidVersionError)
})

t.test(
  'tokens tell nothing: the same transaction twice, and neighbours, have as much in common as random bytes',
  async (t) => {
    const tokens = new VersionTokens(SECRET)
    const sealed = [7, 7, 8, 8, 9].map((transaction) => tokens.seal({ identity: HERE, transaction }))
    t.equal(new Set(sealed.map((token) => token.length)).size, 1, 'of one length')
    const all = sealed.map((token) => Buffer.from(token, 'base64url'))
    for (const [n, one] of all.entries()) {
      for (const other of all.slice(n + 1)) {
        const same = one.filter((byte, at) => byte === other[at]).length
        t.ok(same <= 5, `${same} of ${one.length} bytes agree`)
      }
    }
  },
)
