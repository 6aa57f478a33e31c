import { OptionalKind, type TObject, type TSchema } from '@sinclair/typebox'
import { BODY_LIMIT_BYTES } from '../../app.js'
import { BULK_LIMIT_BYTES, MOST_OPERATIONS } from '../../routes/api/bulk.js'
import { resources } from '../../services/domains.js'
import { PAGE_BYTES } from '../../services/resource/sql/bounded-rows.js'
import { MOST_METADATA_BYTES, pageQuery } from '../../services/resource/schema.js'

/** What marketplaces take, as their public documentation has it. It is theirs to change, and no request is refused because of it. */
const MARKETPLACES: Readonly<Record<string, string>> = {
  'templates.title': 'Etsy: 140 characters; Shopify: 255',
  'templates.tags': 'Etsy: 13 of 20 characters; Shopify: 250 of 255',
  'templates.price': 'Etsy: from 0.20 US dollars',
  'designs.tags': 'Etsy: 13 of 20 characters; Shopify: 250 of 255',
  'mockups.images': 'Etsy: 20; Shopify: 250',
}

const FORMATS: Readonly<Record<string, string>> = { uuid: 'a UUID', currency: 'a code of ISO 4217, as EUR' }

/** The text of docs/limits.md: what the schemas and the limits of requests say. */
export function limitsPage(): string {
  const kib = (bytes: number): string => `${bytes / 1_024} KiB`
  const requests = [
    ['a body', kib(BODY_LIMIT_BYTES)],
    ['a body in bulk', `${kib(BULK_LIMIT_BYTES)}, ${MOST_OPERATIONS} operations`],
    ['a page of a list', `${pageQuery.limit.maximum} rows and ${kib(PAGE_BYTES)}: shorter where its rows are long`],
    ['`metadata`', `${kib(MOST_METADATA_BYTES)} of JSON, 16 levels`],
    [
      'a number, wherever it stands',
      'the digits of a double, about 17; whole: 9,007,199,254,740,991 either way, and beyond it what ends in 0',
    ],
    ['`Idempotency-Key`', '255 characters, kept for 24 hours'],
    ['request line and headers', '16 KiB'],
  ]
  return [
    '# Limits',
    'What is beyond one of these is refused with a 4xx that names the field and the bound; nothing is cut off. The page is made from the schemas by `npm run docs:limits`.',
    '## Requests',
    table(['what', 'at most'], requests),
    ...resources.flatMap(({ name, schemas }) => [
      `## ${name}`,
      table(['field', 'needed', 'what it takes', 'marketplaces'], fieldsOf(name, schemas.item, schemas.creation)),
    ]),
    'Text is composed (NFC) and counted in code points of Unicode, of which an emoji has one or a few. An empty text and null clear a text that is not needed; null for a list, a flag or a number gives its default; blank tags are dropped.',
    '## Money',
    '`price.cents` counts the smallest unit of `price.currency` as ICU has it: 1999 is 19.99 EUR, 1999 JPY (which has no smaller unit) and 1.999 KWD (which has a thousandth). An unknown code is refused, and so is a fraction: nothing is rounded.',
    '',
  ].join('\n\n')
}

function fieldsOf(resource: string, item: TObject, creation: TObject): string[][] {
  return Object.entries(creation.properties).map(([name]) => {
    const isNeeded = creation.required?.includes(name) === true
    return [
      `\`${name}\``,
      isNeeded ? 'yes' : '',
      takes(item.properties[name]),
      MARKETPLACES[`${resource}.${name}`] ?? '',
    ]
  })
}

function takes(schema: TSchema | undefined): string {
  if (schema === undefined) return ''
  const { items, properties, description, maxLength, minLength = 0, maximum, minimum, maxItems, format } = schema
  const values: unknown[] | undefined = schema['enum']
  if (values !== undefined)
    return values
      .filter((value) => value !== null)
      .map(String)
      .join(', ')
  switch ([schema['type']].flat()[0]) {
    case 'string': {
      if (format !== undefined) return FORMATS[String(format)] ?? String(format)
      const length = `${minLength} to ${grouped(maxLength)} characters`
      return description === undefined ? length : `${length}: ${description}`
    }
    case 'boolean':
      return 'true or false'
    case 'integer':
      return `a whole number from ${grouped(minimum)} to ${grouped(maximum)}`
    case 'number':
      return 'a number from 0.000001 to 1,000,000 either way, or 0'
    case 'array':
      return `${maxItems === schema['minItems'] ? maxItems : `at most ${grouped(maxItems)}`} of: ${takes(items)}`
    case 'object':
      return insideOf(properties)
    default:
      return ''
  }
}

function insideOf(properties: TObject['properties'] = {}): string {
  const fields = Object.entries(properties).map(
    ([name, field]) => `\`${name}\`${OptionalKind in field ? '?' : ''} ${takes(field)}`,
  )
  return fields.length === 0 ? 'an object of your own' : fields.join('; ')
}

function grouped(value: unknown): string {
  return Number(value).toLocaleString('en-US')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
