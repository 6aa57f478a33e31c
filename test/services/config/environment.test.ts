import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { environmentSchema, expectation } from '../../../services/config/environment.js'

t.test('what a variable must be is said of each as its type is', async (t) => {
  for (const [name, { type, const: word, minimum, maximum }] of Object.entries<TSchema>(environmentSchema.properties)) {
    const range = `number from ${String(minimum)} to ${String(maximum)}`
    const isNumber = type === 'integer' || type === 'number'
    t.equal(expectation(name).includes(isNumber ? range : 'number from'), isNumber, name)
    t.equal(expectation(name).startsWith('must be text'), type === 'string' && word === undefined, name)
  }
})
