import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { minorUnits } from '../../commands/import/amount.js'
import { openInput } from '../../commands/import/input.js'
import type { Line } from '../../commands/import/lines.js'
import { type Mapping, readMapping } from '../../commands/import/mapping.js'
import { LineReader } from '../../commands/import/reader.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const { signal } = new AbortController()

async function read(content: Buffer | string, mapping: Mapping): Promise<Line[]> {
  const path = join(temporaryDirectory(), 'rows.csv')
  writeFileSync(path, content)
  const all: Line[] = []
  for await (const line of (await openInput(path, { maxLineBytes: 131_072, mapping, signal })).lines) all.push(line)
  return all
}

function rowsIn(lines: readonly Line[]): Record<string, unknown>[] {
  return lines.map((line) => ('text' in line ? JSON.parse(line.text) : line))
}

const ETSY_COLUMNS = [
  'TITLE',
  'DESCRIPTION',
  'PRICE',
  'CURRENCY_CODE',
  'QUANTITY',
  'TAGS',
  'MATERIALS',
  ...Array.from({ length: 10 }, (_, n) => `IMAGE${n + 1}`),
  ...[1, 2].flatMap((n) => [`VARIATION ${n} TYPE`, `VARIATION ${n} NAME`, `VARIATION ${n} VALUES`]),
  'SKU',
]

function etsyRow(cells: Readonly<Record<string, string>>): string {
  return ETSY_COLUMNS.map((column) => `"${(cells[column] ?? '').replaceAll('"', '""')}"`).join(',')
}

const FOX = etsyRow({
  TITLE: 'Fox "Rudi" Mug, 11oz',
  DESCRIPTION: 'A red fox.\nDishwasher safe.\n\n★ Cafe\u0301',
  PRICE: '12.50',
  CURRENCY_CODE: 'EUR',
  QUANTITY: '100',
  TAGS: 'fox,red_fox,mug,fox',
  MATERIALS: 'ceramic,ink',
  IMAGE1: 'https://i.etsystatic.com/1/il_fullxfull.1.jpg',
  IMAGE3: 'https://i.etsystatic.com/1/il_fullxfull.3.jpg',
  'VARIATION 1 TYPE': 'Size',
  'VARIATION 1 NAME': 'Size',
  'VARIATION 1 VALUES': '11oz,15oz',
  SKU: 'FOX-11',
})
const PLAIN = etsyRow({ TITLE: 'Plain', DESCRIPTION: 'd', PRICE: '1500', CURRENCY_CODE: 'JPY', QUANTITY: '1' })

t.test('Etsy: each listing is a template, in every encoding and with every end of line', async (t) => {
  const text = [ETSY_COLUMNS.join(','), FOX, PLAIN].join('\r\n')
  const etsy = readMapping('etsy', undefined)
  const expected = [
    {
      kind: 'template',
      external_id: 'FOX-11',
      name: 'Fox "Rudi" Mug, 11oz',
      title: 'Fox "Rudi" Mug, 11oz',
      description: 'A red fox.\nDishwasher safe.\n\n★ Cafe\u0301',
      platform: 'etsy',
      product_type: 'listing',
      tags: ['fox', 'red_fox', 'mug'],
      price: { cents: 1250, currency: 'EUR' },
      metadata: {
        quantity: 100,
        skus: ['FOX-11'],
        materials: ['ceramic', 'ink'],
        images: ['https://i.etsystatic.com/1/il_fullxfull.1.jpg', 'https://i.etsystatic.com/1/il_fullxfull.3.jpg'],
        variations: { 1: { type: 'Size', name: 'Size', values: ['11oz', '15oz'] } },
      },
    },
    {
      kind: 'template',
      name: 'Plain',
      title: 'Plain',
      description: 'd',
      platform: 'etsy',
      product_type: 'listing',
      price: { cents: 1500, currency: 'JPY' },
      metadata: { quantity: 1 },
    },
  ]
  const lines = await read(text, etsy)
  t.same(rowsIn(lines), expected)
  t.same(
    lines.map(({ number }) => number),
    [2, 6],
    'the lines at which they begin',
  )
  t.same(rowsIn(await read(`\uFEFF${text}`, etsy)), expected)
  t.same(rowsIn(await read(text.replaceAll('\r\n', '\r'), etsy)), expected, 'of an old Mac')
  const sheet = `\uFEFF${text.replaceAll('","', '"\t"').replace(/^(?:[^"\r]+)/, (header) => header.replaceAll(',', '\t'))}`
  t.same(rowsIn(await read(Buffer.from(sheet, 'utf16le'), etsy)), expected, 'Unicode text of Excel')
  const reader = new LineReader('templates', { ids: false, dates: false })
  t.match(reader.read(rowsIn(lines)[0] ?? {}), { row: { body: { description: /Café$/ } } }, 'and the API takes it')
})

t.test('Etsy: a listing with variations has a SKU for each, and none is its key', async (t) => {
  const skus = Array.from({ length: 40 }, (_, n) => `66F927A9CDAD6_${n}`)
  const rows = [{ SKU: skus.join(',') }, { SKU: ' MUG-1 ' }, {}]
  const text = [ETSY_COLUMNS.join(','), ...rows.map((cells) => etsyRow({ TITLE: 'Mug', ...cells }))].join('\n')
  const [many, one, none] = rowsIn(await read(text, readMapping('etsy', undefined)))
  t.match(many, { external_id: undefined, metadata: { skus } })
  t.match(one, { external_id: 'MUG-1', metadata: { skus: ['MUG-1'] } })
  t.match(none, { external_id: undefined, metadata: undefined })
})

t.test('Etsy names the columns in the language of the seller', async (t) => {
  const variations = (...numbers: number[]) =>
    numbers.flatMap((n) => [`TIPO VARIANTE ${n}`, `NOME VARIANTE ${n}`, `VALORI VARIANTE ${n}`])
  const images = Array.from({ length: 10 }, (_, n) => `IMMAGINE${n + 1}`)
  const first = ['TITOLO', 'DESCRIZIONE', 'PREZZO', 'CURRENCY_CODE', 'QUANTITÀ', 'TAG', 'MATERIALI', ...images]
  const etsy = readMapping('etsy', undefined)
  const [inItalian] = rowsIn(await read([[...first, ...variations(1, 2), 'SKU'].join(','), FOX].join('\n'), etsy))
  const [inEnglish] = rowsIn(await read([ETSY_COLUMNS.join(','), FOX].join('\n'), etsy))
  t.same(inItalian, inEnglish)
  const row = [...Array.from({ length: 17 }, (_, n) => ['Tazza', 'd', '9.00', 'EUR', '3'][n] ?? ''), 'S', 'Size', 'a']
  const wider = [...row, 'C', 'Color', 'b', 'W', 'Wood', 'c,d', 'T-1'].map((cell) => `"${cell}"`).join(',')
  const [withThree] = rowsIn(await read([[...first, ...variations(1, 2, 3), 'SKU'].join(','), wider].join('\n'), etsy))
  t.match(withThree, { external_id: 'T-1', metadata: { variations: { 3: { name: 'Wood', values: ['c', 'd'] } } } })
  const shuffled = [...images, ...first.slice(0, 7), ...variations(1, 2), 'SKU'].join(',')
  await t.rejects(read(`${shuffled}\n${FOX}`, etsy), /has no column TITLE/, 'the numbers stand elsewhere')
  await t.rejects(read(`${first.join(',')}\n${FOX}`, etsy), /has no column TITLE/, 'fewer columns')
  const moved = (columns: readonly string[]) => [...columns.slice(0, 5), columns[6], columns[5], ...columns.slice(7)]
  const cells = moved(['Cup', 'd', '1.00', 'EUR', '1', 'a tag', 'a material', ...Array<string>(17).fill('')])
  const [inEnglishMoved] = rowsIn(
    await read([moved(ETSY_COLUMNS), cells].map((row) => row.join(',')).join('\n'), readMapping('etsy', 'EUR')),
  )
  t.match(inEnglishMoved, { tags: ['a tag'], metadata: { materials: ['a material'] } }, 'names count before the order')
  const old = ETSY_COLUMNS.slice(0, -1).join(',')
  const noSku = PLAIN.slice(0, -',""'.length)
  t.match(rowsIn(await read(`${old}\n${noSku}`, etsy)), [{ name: 'Plain', external_id: undefined }], 'without SKU')
})

t.test('a price that can not be one is a fault, with an example that the currency can have', async (t) => {
  const rows = [
    { PRICE: '12.50', CURRENCY_CODE: 'JPY' },
    { PRICE: '1.2345', CURRENCY_CODE: 'KWD' },
    { PRICE: '12.50' },
    { CURRENCY_CODE: 'EUR' },
  ]
  const text = [ETSY_COLUMNS.join(','), ...rows.map((cells) => etsyRow({ TITLE: 'Mug', ...cells }))].join('\n')
  t.match(rowsIn(await read(text, readMapping('etsy', undefined))), [
    { fault: 'PRICE must be an amount of "JPY", such as 1250: "12.50"' },
    { fault: 'PRICE must be an amount of "KWD", such as 12.500: "1.2345"' },
    { fault: 'PRICE has no currency: CURRENCY_CODE is empty, and --currency is not given: "12.50"' },
    { name: 'Mug', price: undefined },
  ])
  const [, , inEuro] = rowsIn(await read(text, readMapping('etsy', 'EUR')))
  t.match(inEuro, { price: { cents: 1250, currency: 'EUR' } })
})

t.test('Shopify: the lines of a product are one template', async (t) => {
  const header =
    'Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Image Position,Status'
  const text = [
    header,
    'fox-mug,Fox Mug,"<p>A ""red"" fox</p>",Fox Prints,Home > Mugs,Mug,"fox, mug",TRUE,Size,11oz,F-11,12.00,https://cdn/1.png,1,active',
    'fox-mug,,,,,,,,,15oz,F-15,14.00,https://cdn/2.png,2,',
    'fox-mug,,,,,,,,,,,,https://cdn/1.png,3,',
    'old-shirt,Old Shirt,,Fox Prints,,,,FALSE,Title,Default Title,,"1,020.5",,,draft',
  ].join('\n')
  const [fox, shirt] = rowsIn(await read(text, readMapping('shopify', 'USD')))
  t.same(fox, {
    kind: 'template',
    external_id: 'fox-mug',
    name: 'Fox Mug',
    title: 'Fox Mug',
    description: '<p>A "red" fox</p>',
    platform: 'shopify',
    product_type: 'Mug',
    tags: ['fox', 'mug'],
    price: { cents: 1200, currency: 'USD' },
    is_active: true,
    metadata: {
      vendor: 'Fox Prints',
      category: 'Home > Mugs',
      images: ['https://cdn/1.png', 'https://cdn/2.png'],
      variants: [
        { sku: 'F-11', price: '12.00', option1: '11oz' },
        { sku: 'F-15', price: '14.00', option1: '15oz' },
      ],
    },
  })
  t.match(shirt, { name: 'Old Shirt', is_active: false, product_type: 'product', price: { cents: 102_050 } })
  t.notOk(
    'price' in (rowsIn(await read(text, readMapping('shopify', undefined)))[0] ?? {}),
    'without a currency no price',
  )
})

t.test('a mapping of one’s own, in a file; and what is wrong with it', async (t) => {
  const path = join(temporaryDirectory(), 'mapping.json')
  const write = (mapping: unknown): string => {
    writeFileSync(path, typeof mapping === 'string' ? mapping : JSON.stringify(mapping))
    return path
  }
  const mapping = {
    kind: 'design',
    fields: {
      filename: { column: 'url', part: 'name' },
      file_path: { column: ['path', 'url'], part: 'folder' },
      platform: { value: 'craftflow' },
      is_digital: { column: 'digital', as: 'boolean', true: ['ja'] },
      template_external_ids: { column: 'templates', split: '|' },
    },
  }
  const text = 'URL;digital;templates\nhttps://x/a/fox.png?v=1;Ja;t1|t2\n/b/c.png;nein;\n'
  t.same(rowsIn(await read(text, readMapping(write(mapping), undefined))), [
    {
      kind: 'design',
      filename: 'fox.png',
      file_path: 'https://x/a',
      platform: 'craftflow',
      is_digital: true,
      template_external_ids: ['t1', 't2'],
    },
    { kind: 'design', filename: 'c.png', file_path: '/b', platform: 'craftflow', is_digital: false },
  ])
  t.throws(() => readMapping(write('{'), undefined), /JSON/)
  t.throws(() => readMapping(write({ kind: 'design' }), undefined), /is no mapping/)
  t.throws(
    () => readMapping(write({ ...mapping, fields: { a: { colum: 'x' } } }), undefined),
    /fields\/a is no mapping/,
  )
  t.throws(() => readMapping('nowhere.json', undefined), /--mapping must be etsy, shopify or a file/)
  await t.rejects(
    read('a,b\n1,2\n', readMapping(write(mapping), undefined)),
    /has no column url \(for filename\).*a, b/,
  )
})

t.test('a line that can not be read is a fault of its own', async (t) => {
  const mapping: Mapping = {
    kind: 'template',
    fields: {
      name: 'name',
      price: { amount: 'price', currency: { value: 'EUR' } },
      metadata: { fields: { n: { column: 'n', as: 'integer' } } },
    },
  }
  const text = Buffer.concat([
    Buffer.from('name,price,n\nfine,1,1\nodd,12.345,x\n'),
    Buffer.from([0xe9, 0x2c, 0x31, 0x2c, 0x31, 0x0a]),
    Buffer.from('wide,1,1,1\nlast,2,2\n'),
  ])
  t.match(rowsIn(await read(text, mapping)), [
    { name: 'fine' },
    { number: 3, fault: 'price must be an amount of "EUR", such as 12.50: "12.345"; n must be a whole number: "x"' },
    { number: 4, fault: 'not valid UTF-8' },
    { number: 5, fault: 'it has 4 columns, and the first line has 3' },
    { name: 'last' },
  ])
  await t.rejects(read('name,price,n\n"open,1,1\n', mapping), /Quote Not Closed.*line 2/)
})

t.test('a number is decimal, and none that would be rounded', async (t) => {
  const fields = { integer: { column: 'n', as: 'integer' }, number: { column: 'n', as: 'number' } } as const
  for (const [text, value] of [
    ['12', 12],
    ['+007', 7],
    ['-1.50', -1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1E3', 1_000],
    ['1e-7', 1e-7],
    ['1e20', 1e20],
    ['0.10000000000000000000', 0.1],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    const number = { kind: 'design', fields: { n: fields.number } }
    t.match(rowsIn(await read(`n\n${text}\n`, number)), [{ n: value }], text)
    const isWhole = Number.isInteger(value)
    const integer = rowsIn(await read(`n\n${text}\n`, { kind: 'design', fields: { n: fields.integer } }))
    t.match(integer, [isWhole ? { n: value } : { fault: `n must be a whole number: "${text}"` }], text)
  }
  for (const [text, fault] of [
    ['0.12345678901234567891', 'has more digits than are kept'],
    ['9007199254740993', 'has more digits than are kept'],
    ['9007199254740992.0', 'has more digits than are kept'],
    ['1e-400', 'has more digits than are kept'],
    ['0x10', 'must be a number'],
    ['0b11', 'must be a number'],
    ['0o7', 'must be a number'],
    ['1e999', 'must be a number'],
    ['Infinity', 'must be a number'],
    ['1_000', 'must be a number'],
    ['.', 'must be a number'],
    ['1,5', 'must be a number'],
  ] as const) {
    const rows = rowsIn(await read(`n;m\n${text};\n`, { kind: 'design', fields: { n: fields.number } }))
    t.same(rows, [{ number: 2, fault: `n ${fault}: "${text}"` }])
  }
})

t.test('a quote that is not closed takes no lines with it', async (t) => {
  const mapping: Mapping = { kind: 'design', fields: { external_id: 'sku', filename: 'file', description: 'text' } }
  const header = 'sku,file,text,platform,path,n'
  const swallowed = ['s1,"abc,d,a,1,1', 's2,f,d,a,1,1', 's3,g,"d",a,1,1', 's4,h,d,a,1,1']
  for (const end of ['\n', '\r\n', '\r']) {
    t.match(rowsIn(await read([header, '', ...swallowed].join(end), mapping)), [
      { number: 3, fault: 'a quote is not closed: lines 3 to 5 are one row' },
      { external_id: 's4', filename: 'h' },
    ])
    const more = [header, 's1,f,"a', 'b', 's2,f,"c",a,1,1', 's3,f,"d', 'e",a,1,1', 's4,f,"g"" ', 'h,"" i"'].join(end)
    const lines = await read(`${more}${end}`, mapping)
    t.match(rowsIn(lines), [
      { fault: 'a quote is not closed: lines 2 to 4 are one row' },
      { external_id: 's3', description: `d${end}e` },
      { external_id: 's4', description: `g" ${end}h," i` },
    ])
    t.same(
      lines.map(({ number }) => number),
      [2, 5, 7],
    )
  }
  const oneLine = ['a,5" mug,"x"y",a,1,1', 'b,"5" mug","x\ny",a,1,1', '"c",12" × 4","x"'].join('\n')
  t.match(rowsIn(await read(`${header}\n${oneLine}`, mapping)), [
    { external_id: 'a', filename: '5" mug', description: '"x"y"' },
    { external_id: 'b', filename: '"5" mug"', description: 'x\ny' },
    { external_id: 'c', filename: '12" × 4"', description: 'x' },
  ])
  const group = { ...mapping, group: 'sku' }
  t.match(rowsIn(await read([header, 's0,x,y', ...swallowed].join('\n'), group)), [
    { external_id: 's0' },
    { number: 3, fault: /lines 3 to 5/ },
    { external_id: 's4' },
  ])
})

t.test('amounts are whole minor units, or none', async (t) => {
  const amounts: [string, string, number | undefined][] = [
    ['12.50', 'EUR', 1250],
    ['12,5', 'EUR', 1250],
    ['1,234.50', 'USD', 123_450],
    ['1.234,50', 'EUR', 123_450],
    ['1 234,50', 'EUR', 123_450],
    ['1,234', 'USD', 123_400],
    ['1500', 'JPY', 1500],
    ['1500.00', 'JPY', 1500],
    ['1.5', 'JPY', undefined],
    ['1.234', 'KWD', 1234],
    ['-1', 'EUR', undefined],
    ['12.50 €', 'EUR', undefined],
    ['99999999999999999', 'EUR', undefined],
    ['1', 'euro', undefined],
    ['1,234', 'KWD', undefined],
    ['12,345', 'CLF', undefined],
    ['1,234,567', 'KWD', 1_234_567_000],
    ['1,234.5', 'KWD', 1_234_500],
    ["1'234", 'KWD', 1_234_000],
    ['1.500', 'EUR', undefined],
    ['1.500', 'JPY', undefined],
    ['123.000', 'USD', undefined],
    ['1.500', 'KWD', 1500],
    ['1234.500', 'EUR', 123_450],
    ['1.5000', 'EUR', 150],
    ['1.234.500', 'EUR', 123_450_000],
    ['1.234,500', 'EUR', 123_450],
    ['0.500', 'EUR', 50],
    ['0,500', 'EUR', 50],
    ['0,500', 'KWD', 500],
    ['012,345', 'EUR', undefined],
  ]
  for (const [text, currency, cents] of amounts) t.equal(minorUnits(text, currency), cents, `${text} ${currency}`)
})
