import type { TSchema } from '@sinclair/typebox'
import buildSerializer from 'fast-json-stringify'
import { bytesIfLong, Document } from './document.js'
import { rowEtag, textEtag } from './etag.js'
import type { Total } from './id-page.js'
import { PageDocument } from './page-document.js'

/** Writes an item as JSON text: a schema's compiled serializer. */
export type Serialize<Item> = (item: Item) => string

/** Compiles the serializer of a schema. */
export function serializerOf(schema: TSchema): Serialize<object> {
  return buildSerializer(schema)
}

/** A row as one document; its ETag is its id and version. `refersTo`: tags of the rows it names. */
export function rowDocument<Item extends { readonly id: string; readonly version: number }>(
  item: Item,
  serialize: Serialize<Item>,
  refersTo: readonly string[] = [],
): Document {
  return new Document(serialize(item), rowEtag(item.id, item.version), refersTo)
}

/** A page as one document, from the JSON texts of its items; `ageMs` of the oldest. */
export function pageDocument(
  items: readonly string[],
  nextCursor: string | null,
  total?: Total,
  ageMs = 0,
): PageDocument {
  const counted = total === undefined ? '' : `,"total":${total.total},"total_is_exact":${total.isExact}`
  const json = bytesIfLong(`{"items":[${items.join(',')}],"next_cursor":${JSON.stringify(nextCursor)}${counted}}`)
  return new PageDocument(json, textEtag(json), ageMs)
}
