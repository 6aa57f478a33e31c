import t, { type Test } from 'tap'
import type { TestService } from '../../../helpers/app.js'
import { onBothDatabases } from '../../../helpers/both-databases.js'

type User = Awaited<ReturnType<TestService['newUser']>>

onBothDatabases(t, suite)

const DESIGN = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
const TEMPLATE = { name: 'mug', title: 'Mug', platform: 'etsy' }

async function userWith(service: TestService, tags: readonly string[]): Promise<User> {
  const user = await service.newUser()
  const { status, text } = await user.post('/api/designs', { ...DESIGN, tags })
  if (status !== 201) throw new Error(text)
  return user
}

/** How many rows the filters of tags find, asked by each of them. */
async function foundBy(user: User, field: string, tags: readonly string[]): Promise<number> {
  const value = (text: string): string => `${field}=${encodeURIComponent(text)}`
  const query = field === 'tag' ? tags.map(value).join('&') : value(tags.join(','))
  const { body } = await user.get(`/api/designs?${query}&total=true`)
  if (body.total !== body.items?.length) throw new Error(`${body.total}: ${JSON.stringify(body.items ?? body)}`)
  return body.total
}

function fillers(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `filler tag of many letters number ${String(n).padStart(2, '0')}`)
}

async function suite(t: Test, service: TestService): Promise<void> {
  await t.test(
    'a row is found by each of its tags, however long they are and whatever stands beside them',
    async (t) => {
      const rows = [
        ['한'.repeat(40), '글'.repeat(80)],
        ['é'.repeat(60), ...fillers(40)],
        ['ế'.repeat(97), ...fillers(25)],
        ['a\u0001b', 'a b', '\u0001', ...fillers(2)],
        // As large as rows get.
        Array.from({ length: 100 }, (_, n) => 'ᾂ'.repeat(98) + String(n).padStart(2, '0')),
        Array.from({ length: 100 }, (_, n) => '𠀀'.repeat(98) + String(n).padStart(2, '0')),
      ]
      for (const tags of rows) {
        const user = await userWith(service, tags)
        for (const tag of tags.filter((_, n) => n < 3 || n > 97)) {
          t.equal(await foundBy(user, 'tag', [tag]), 1, tag.slice(0, 5))
          t.equal(await foundBy(user, 'any_tag', [tag]), 1, tag.slice(0, 5))
        }
        t.equal(await foundBy(user, 'tag', tags.slice(0, 3)), 1)
        t.equal(await foundBy(user, 'any_tag', ['none', tags[0] ?? '']), 1)
      }
    },
  )

  await t.test('a row is found by each word of the longest description', async (t) => {
    const words = Array.from({ length: 9_362 }, (_, n) => `w${String(n).padStart(5, '0')}`)
    const description = `${words.join(' ')} é!`
    t.equal(description.length, 65_536)
    const user = await service.newUser()
    const { status, body } = await user.post('/api/designs', { ...DESIGN, description })
    t.equal(status, 201)
    for (const q of ['w00000', 'w09361', 'W05000 w00001', 'e', 'w0936'])
      t.match(await user.get(`/api/designs?q=${q}`), { body: { items: [{ id: body.id }] } }, q)
    t.same((await user.get('/api/designs?q=w09362')).body.items, [])
    t.equal((await user.patch(`/api/designs/${body.id}`, { description: `${description}.` })).status, 400)
  })

  await t.test('a tag is not found by one that begins so, or that is nearly it', async (t) => {
    const others = fillers(30)
    const user = await userWith(service, [`${'한'.repeat(34)}가`, 'a\u0001b', ...others])
    const nearly = `${'한'.repeat(34)}나`
    t.equal(await foundBy(user, 'tag', [nearly, ...others.slice(0, 19)]), 0)
    t.equal(await foundBy(user, 'any_tag', [nearly]), 0)
    t.equal(await foundBy(user, 'any_tag', ['한'.repeat(34), 'a b', 'a', 'filler']), 0)
    t.equal(await foundBy(user, 'tag', ['a\u0001b']), 1)
  })

  await t.test('a value is found whatever its characters are', async (t) => {
    const user = await service.newUser()
    for (const type of ['a\u0001b', '\u0001', 'a\u0001', 'a', 'a b', '한'.repeat(100), '한'.repeat(99)]) {
      const made = await user.post('/api/templates', { ...TEMPLATE, product_type: type })
      t.equal(made.status, 201, JSON.stringify(type))
      const { body } = await user.get(`/api/templates?product_type=${encodeURIComponent(type)}&total=true`)
      t.match(body, { items: [{ product_type: type }], total: 1 }, JSON.stringify(type))
    }
  })

  await t.test('symbols and emoji part words, and are none', async (t) => {
    const user = await service.newUser()
    const description = '★star🦊fox €20 mug™ gift→you ❤️heart 1️⃣st ½price 👩‍🎨art 🇩🇪flag 👍🏽thumb ①one'
    await user.post('/api/designs', { ...DESIGN, description, tags: ['葛\u{e0100}城', 'हिन्दी'] })
    for (const word of 'star fox 20 you heart st price art flag thumb one mug gift 🦊fox →you ♥fox 葛城 हिन्दी'.split(
      ' ',
    )) {
      t.equal((await user.get(`/api/designs?q=${encodeURIComponent(word)}`)).body.items.length, 1, word)
    }
    for (const none of ['🦊', '★ ™', 'xyz', 'tar']) {
      t.equal((await user.get(`/api/designs?q=${encodeURIComponent(none)}`)).body.items.length, 0, none)
    }
  })

  await t.test('a long word is not found by one that only begins as it does', async (t) => {
    const user = await service.newUser()
    await user.post('/api/designs', { ...DESIGN, description: `${'x'.repeat(190)}ending ${'word '.repeat(300)}` })
    t.equal((await user.get(`/api/designs?q=${'x'.repeat(190)}end`)).body.items.length, 1)
    t.equal((await user.get(`/api/designs?q=${'x'.repeat(190)}other`)).body.items.length, 0)
  })
}
