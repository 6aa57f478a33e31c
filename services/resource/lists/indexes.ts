import { createHash } from 'node:crypto'
import type { ResourceDefinition } from '../definition.js'
import { ordersOf } from './orders.js'
import { termsOf } from './terms.js'

/** An index that the service makes and keeps by itself. */
export interface ListIndex {
  /** Of its text as well, so that another rule is another index. */
  readonly name: string
  /** What follows `on <table>`. */
  readonly text: string
  /** Statements about it, once it is made. */
  readonly settings: string
}

/** The database would cut it. */
const LONGEST_NAME = 63

/** Releases that ask by the index of the first rule know no names with a digit: one that starts beside this one leaves this index alone. */
const TERMS = 'terms_2'

/** Every order of lists, and every filter and search, by the owner first. (user_id, id) every table has by its migration. */
export function listIndexesOf(definition: ResourceDefinition): readonly ListIndex[] {
  const orders = Object.values(ordersOf(definition)).flatMap(({ word, key }) => {
    return key === undefined ? [] : [named(definition, word, `(user_id, (${key.sql})${key.collation}, id)`)]
  })
  const terms = termsOf(definition)
  if (terms === undefined) return orders
  // What is pending is a list that each search reads: short, so that it reads eight blocks more at most, and a bulk still writes in half of the time. No
  // statistics: nothing is decided by them, and they cost.
  const index = named(definition, TERMS, `using gin (${terms}) with (fastupdate = on, gin_pending_list_limit = 64)`)
  return [...orders, { ...index, settings: `alter index ${index.name} alter column 1 set statistics 0` }]
}

function named({ name }: ResourceDefinition, word: string, text: string): ListIndex {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8)
  const index = { name: `${name}_list_${word}_${hash}`, text, settings: '' }
  if (index.name.length > LONGEST_NAME) throw new Error(`${name}: ${index.name} is too long for the name of an index`)
  return index
}
