import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openInput } from '../../commands/import/input.js'
import { type Mapping, readMapping } from '../../commands/import/mapping.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const { signal } = new AbortController()

const MAPPING: Mapping = { kind: 'design', fields: { external_id: 'SKU', filename: 'File' } }
const [A, B, C] = ['a', 'b', 'c'].map((id) => ({ kind: 'design', external_id: id, filename: `${id}.png` }))

function mappingOf(content: object): Mapping {
  const path = join(temporaryDirectory(), 'mapping.json')
  writeFileSync(path, JSON.stringify(content))
  return readMapping(path, undefined)
}

/** What the rows of a file become; a fault stands with its number. */
async function rowsOf(content: string, mapping = MAPPING): Promise<unknown[]> {
  const path = join(temporaryDirectory(), 'rows.csv')
  writeFileSync(path, content)
  const rows: unknown[] = []
  const { lines } = await openInput(path, { maxLineBytes: 131_072, mapping, signal })
  for await (const line of lines) rows.push('text' in line ? JSON.parse(line.text) : line)
  return rows
}

t.test('columns without a name, and several of one name, are columns', async (t) => {
  t.same(await rowsOf('SKU;File;;;\na;a.png;;;\nb;b.png;;x;\n'), [A, B])
  t.same(await rowsOf('SKU,File,Tag,Tag,Tag\na,a.png,x,y,z\n'), [A])
  t.same(await rowsOf('SKU,File,sku\na,a.png,other\n'), [A])
  t.same(await rowsOf('SKU,File,Tag,Tag\na,a.png,x,y,z\nb,b.png\n'), [
    { number: 2, fault: 'it has 5 columns, and the first line has 4' },
    B,
  ])
  t.same(await rowsOf('SKU,File\na,a.png,, \n'), [A], 'what is beyond them and empty is nothing')
})

t.test('rows of empty cells are no rows, also before the names of the columns', async (t) => {
  t.same(await rowsOf('SKU;File\na;a.png\n;\n  \n"";\nb;b.png\n;;;;\n'), [A, B])
  t.same(await rowsOf('\r\n;;\r\n"SKU";"File"\r\na;a.png\r\nb;b.png;x\r\n'), [
    A,
    { number: 5, fault: 'it has 3 columns, and the first line has 2' },
  ])
})

t.test('each line ends in its own way', async (t) => {
  t.same(await rowsOf('SKU,File\r\na,a.png\nb,b.png\rc,c.png'), [A, B, C])
  t.same(await rowsOf('SKU,File\na,a.png\r\nb,b.png\r\n\rc,c.png\r'), [A, B, C])
  t.same(await rowsOf('SKU,File\ra,a.png\nb,"b.png"\r\nc,"c.png"\n'), [A, B, C])
  const one: Mapping = { kind: 'design', fields: { external_id: 'SKU' } }
  t.same(await rowsOf('SKU\r\na\nb\n', one), [
    { kind: 'design', external_id: 'a' },
    { kind: 'design', external_id: 'b' },
  ])
})

t.test('the name of a column is what one sees of it', async (t) => {
  const composed = {
    kind: 'design',
    fields: { external_id: 'SKU', filename: 'Größe', is_digital: { column: 'ok', as: 'boolean', true: ['sí'] } },
  }
  const text = (form: string): string => 'SKU,Größe,ok\na,a.png,sí\n'.normalize(form)
  for (const [file, mapping] of [
    ['NFD', 'NFC'],
    ['NFC', 'NFD'],
  ] as const) {
    const rows = await rowsOf(text(file), mappingOf(JSON.parse(JSON.stringify(composed).normalize(mapping))))
    t.same(rows, [{ ...A, is_digital: true }], `${file} and ${mapping}`)
  }
  t.same(await rowsOf('\u200bSKU,\u2060File\u200b\u00a0\na,a.png\n'), [A])
})

t.test('a delimiter is any character that can be one', async (t) => {
  t.same(await rowsOf('SKU§File\na§"a.png"\nb§b.png\n', mappingOf({ ...MAPPING, delimiter: '§' })), [A, B])
  for (const delimiter of ['"', '\n', '\r'])
    t.throws(() => mappingOf({ ...MAPPING, delimiter }), /\/delimiter is no mapping/)
})

t.test('rules that stand beside "split" are for each of its parts', async (t) => {
  const fields = {
    sizes: { column: 'Sizes', split: ';', as: 'integer' },
    files: { column: 'Files', split: ' ', part: 'name' },
  }
  t.same(await rowsOf('Sizes,Files\n11; 15;11,/x/a.png /b.png\n15;x,\n', mappingOf({ kind: 'design', fields })), [
    { kind: 'design', sizes: [11, 15], files: ['a.png', 'b.png'] },
    { number: 3, fault: 'Sizes must be a whole number: "x"' },
  ])
})

t.test('a mapping that is called as something of JavaScript is a file', (t) => {
  for (const name of ['constructor', 'toString'])
    t.throws(() => readMapping(name, undefined), /--mapping must be etsy, shopify or a file/)
  t.end()
})
