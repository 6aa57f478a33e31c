import { Type } from '@sinclair/typebox'
import t from 'tap'
import { guesserAmong, kindOf } from '../../commands/import/kinds.js'
import { resources } from '../../services/domains.js'
import type { ResourceDefinition } from '../../services/resource/definition.js'
import { schemasOf, Text, Uuid } from '../../services/resource/schema.js'
import { columnsOf } from '../../services/resource/sql/columns.js'
import { imported } from '../helpers/importing.js'
import { startService } from '../helpers/app.js'

const schemas = schemasOf({ name: Text(10), email: Text(10), template_id: Type.Optional(Uuid) }, {})
const suppliers: ResourceDefinition = {
  name: 'suppliers',
  kind: 'supplier',
  schemas,
  columns: columnsOf(schemas.creation),
  filters: {},
  references: { template_id: { to: 'templates', onDelete: 'forget' } },
  naturalKey: ['email'],
}

t.test('a line is of a kind that knows all its fields, if there is one', async (t) => {
  const guess = guesserAmong([...resources, suppliers])
  const supplier = { name: 'a', email: 'b', template_external_id: 'c' }
  t.equal(guess(supplier), 'suppliers', 'though it has all that a mockup must have')
  t.equal(guess({ ...supplier, external_id: 'd', user_email: 'e', id: 'f', created_at: 'g' }), 'suppliers')
  t.equal(
    guess({ ...supplier, emial: 'typing error' }),
    'suppliers',
    'of two with as many required fields the closer one',
  )
  t.equal(guess({ email: 'b' }), 'suppliers')
  t.equal(guess({ name: 'a', template_external_id: 'c' }), 'mockups')
  t.equal(guess({ shop_name: 'a' }), undefined)
})

t.test('lines of the kinds that there are, and what else they look like', async (t) => {
  const mockup = { name: 'a', template_id: 'b' }
  const template = { name: 'a', title: 'b', platform: 'c', product_type: 'd' }
  const lines: readonly (readonly [string | undefined, object])[] = [
    ['templates', { name: 'a' }],
    ['templates', { name: 'a', metadata: {} }],
    ['templates', { name: 'a', colour: 'red' }],
    ['templates', template],
    ['templates', { ...template, template_id: 'e' }],
    ['templates', { name: 'a', title: 'b', template_id: 'e' }],
    ['mockups', mockup],
    ['mockups', { name: 'a', template_external_id: 'b' }],
    ['mockups', { ...mockup, colour: 'red' }],
    ['mockups', { ...mockup, description: 'x' }],
    ['designs', { filename: 'a', colour: 'red' }],
    ['designs', { filename: 'a', file_path: 'b', platform: 'c', name: 'd' }],
    [undefined, { title: 'a' }],
  ]
  for (const [kind, line] of lines) t.same(kindOf(line), { kind, isGuessed: true }, JSON.stringify(line))
  t.same(kindOf({ ...mockup, kind: 'template' }), { kind: 'templates', isGuessed: false })
  t.same(kindOf({ ...mockup, kind: 'other' }), { kind: undefined, isGuessed: false })
})

t.test('what is wrong with a line whose kind was guessed says so, once', async (t) => {
  const { app, newUser } = await startService(t)
  const { id } = await newUser()
  const { troubles } = await imported(app, id, [
    { filename: 'a', colour: 'red', size: 1 },
    { kind: 'design', filename: 'a', file_path: '/a', platform: 'etsy', colour: 'red' },
    { title: 'a' },
  ])
  t.match(troubles, [
    /^1 refused: design: [^(]*colour is not a known field; [^(]* \(guessed: set "kind", or --into\)$/,
    '2 refused: design: colour is not a known field',
    /^3 refused: not recognised, by their fields: templates \(name\), .*: set "kind", or --into$/,
  ])
})
