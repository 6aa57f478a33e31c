import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { linesOf, type Line } from '../../commands/import/lines.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const MAX_BYTES = 20

async function collected(lines: AsyncIterable<Line>): Promise<Line[]> {
  const all: Line[] = []
  for await (const line of lines) all.push(line)
  return all
}

/** `text` in chunks of every size that can cut it. */
async function inChunksOf(bytes: number, text: Buffer): Promise<Line[]> {
  const chunks = Array.from({ length: Math.ceil(text.length / bytes) }, (_, n) =>
    text.subarray(n * bytes, (n + 1) * bytes),
  )
  return collected(linesOf(Readable.from(chunks), MAX_BYTES))
}

t.test('lines come out whole however the file was cut, with their numbers, without empty ones', async (t) => {
  const text = Buffer.from('\uFEFFfirst\r\n\n   \nzwölf €\n\nlast', 'utf8')
  const expected = [
    { number: 1, text: 'first' },
    { number: 4, text: 'zwölf €' },
    { number: 6, text: 'last' },
  ]
  for (let bytes = 1; bytes <= text.length; bytes++) t.strictSame(await inChunksOf(bytes, text), expected)
})

t.test('lines end as any system ends them', async (t) => {
  const text = Buffer.from('one\rtwo\r\rfour\r\nfive\n\rseven\r')
  const expected = [
    { number: 1, text: 'one' },
    { number: 2, text: 'two' },
    { number: 4, text: 'four' },
    { number: 5, text: 'five' },
    { number: 7, text: 'seven' },
  ]
  for (let bytes = 1; bytes <= text.length; bytes++) t.strictSame(await inChunksOf(bytes, text), expected)
})

t.test('a line that is too long or not UTF-8 is a fault of that line only', async (t) => {
  const text = Buffer.concat([
    Buffer.from(`${'x'.repeat(MAX_BYTES)}\n${'y'.repeat(MAX_BYTES + 1)}\n`),
    Buffer.from([0xff, 0xfe, 0x0a]),
    Buffer.from(`fine\n${'z'.repeat(10 * MAX_BYTES)}`),
  ])
  const expected = [
    { number: 1, text: 'x'.repeat(MAX_BYTES) },
    { number: 2, fault: 'longer than 20 bytes' },
    { number: 3, fault: 'not valid UTF-8' },
    { number: 4, text: 'fine' },
    { number: 5, fault: 'longer than 20 bytes' },
  ]
  for (const bytes of [1, 7, 1000]) t.strictSame(await inChunksOf(bytes, text), expected)
})

t.test('a file is read only as fast as its lines are asked for', async (t) => {
  const path = join(temporaryDirectory(), 'long')
  writeFileSync(path, 'line\n'.repeat(1_000_000))
  const file = createReadStream(path)
  const lines = linesOf(file, MAX_BYTES)
  await lines.next()
  t.ok(file.bytesRead < 500_000)
  await lines.return(undefined)
})
