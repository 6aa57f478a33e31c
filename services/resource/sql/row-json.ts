import { Type } from '@sinclair/typebox'
import { type Serialize, serializerOf } from '../../documents/row-document.js'
import { isJson } from './columns.js'
import type { ResourceDefinition } from '../definition.js'
import { commonFields, type ResourceRow } from './row.js'

/**
 * Writes a row of a resource as the JSON of its item. Its JSON columns are text already, and go out as the database wrote them:
 * they may be long, and to parse and write them again would hold up everybody. Only what `toItem` asks for is parsed.
 */
export function rowSerializerOf({
  columns,
  schemas,
  toItem,
}: Pick<ResourceDefinition, 'columns' | 'schemas' | 'toItem'>): Serialize<ResourceRow> {
  const json = Object.keys(columns).filter((name) => isJson(columns[name]))
  if (toItem !== undefined) {
    const serialize = serializerOf(schemas.item)
    return (row) => serialize({ ...toItem(parsed(row, json)), ...commonFields(row) })
  }
  const serialize = serializerOf(Type.Omit(schemas.item, json))
  return (row) => withTexts(serialize({ ...row, ...commonFields(row) }), row, json)
}

function parsed(row: ResourceRow, json: readonly string[]): ResourceRow {
  const values = json.map((name) => [name, JSON.parse(textIn(row, name))])
  return values.length === 0 ? row : { ...row, ...Object.fromEntries(values) }
}

/** An item has its id at least, so that a comma is right. */
function withTexts(item: string, row: ResourceRow, json: readonly string[]): string {
  if (json.length === 0) return item
  return `${item.slice(0, -1)}${json.map((name) => `,"${name}":${textIn(row, name)}`).join('')}}`
}

/**
 * On one line, as an event of a stream and a line of an export have to be: whoever wrote the JSON by SQL may have broken it. In texts it has
 * no line breaks, the database sees to that.
 */
function textIn(row: ResourceRow, name: string): string {
  const text = row[name]
  if (typeof text !== 'string') return 'null'
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\n\r]+/g, ' ') : text
}
