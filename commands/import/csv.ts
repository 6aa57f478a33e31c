import { Readable, pipeline } from 'node:stream'
import { TextDecoder } from 'node:util'
import { parse } from 'csv-parse'
import { peek } from './bytes.js'
import type { Line } from './lines.js'
import { columnsIn, type CsvLine, mapped } from './mapped-row.js'
import type { Mapping } from './mapping.js'

const DELIMITERS = [',', ';', '\t'] as const
/** In which the line of the names of the columns ends. */
const MOST_HEADER_BYTES = 65_536
/** The parser refuses to go on with a longer record: a quote that is not closed would make one of the rest of the file. */
const MOST_RECORD_BYTES = 524_288
/** A group is kept until its last line. */
const MOST_LINES = 5_000

/** A line as csv-parse gives it: bytes, each as one character of Latin 1. */
interface Raw {
  readonly record: readonly string[]
  readonly info: { readonly lines: number; readonly error?: { readonly message: string } }
}

/**
 * The rows of a CSV file in UTF-8 whose first line has the names of its columns, each as the JSON of what the mapping makes of it.
 * @throws Error when a column is not there of which a mapping makes what every row must have
 */
export async function rowsOfCsv(bytes: AsyncIterable<Buffer>, mapping: Mapping): Promise<AsyncIterable<Line>> {
  const { head, chunks } = await peek(bytes, MOST_HEADER_BYTES)
  const parser = parse({
    delimiter: mapping.delimiter ?? delimiterIn(head),
    encoding: 'latin1',
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MOST_RECORD_BYTES,
  })
  const raw = pipeline(Readable.from(chunks), parser, () => {})[Symbol.asyncIterator]() as AsyncIterator<Raw>
  const first = await raw.next()
  const names = first.done === true ? [] : decode(first.value.record)
  if (names === undefined) throw new Error('The first line is not valid UTF-8: save the file as CSV in UTF-8')
  const columns = columnsIn(names, mapping)
  return grouped(raw, columns, mapping, first.done === true ? 1 : first.value.info.lines)
}

async function* grouped(
  raw: AsyncIterator<Raw>,
  columns: ReadonlyMap<string, number>,
  mapping: Mapping,
  headerLines: number,
): AsyncGenerator<Line> {
  const width = Math.max(...columns.values()) + 1
  let group: CsvLine[] = []
  let groupName: string | undefined
  let number = headerLines
  let startedAt = number + 1
  let fault: string | undefined
  const take = (): Line | undefined => {
    const lines = group
    group = []
    if (fault !== undefined) return { number: startedAt, fault }
    return lines.length === 0 ? undefined : mapped(startedAt, lines, mapping)
  }
  for (;;) {
    const next = await raw.next().catch((error: unknown) => {
      throw new Error(`After line ${number}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    })
    if (next.done === true) break
    const { record, info } = next.value
    const cells = decode(record)
    const line: CsvLine = (column) => cells?.[columns.get(column) ?? -1]?.trim() ?? ''
    const name = mapping.group === undefined ? undefined : line(mapping.group)
    const isNext = mapping.group === undefined || group.length === 0 || (name !== '' && name !== groupName)
    if (isNext) {
      const row = take()
      if (row !== undefined) yield row
      fault = undefined
      startedAt = number + 1
      groupName = name
    }
    number = info.lines
    if (cells === undefined) fault = 'not valid UTF-8'
    else if (cells.length > Math.max(width, columns.size))
      fault = `it has ${cells.length} columns, and the first line has ${columns.size}`
    else if (group.length >= MOST_LINES) fault = `more than ${MOST_LINES} lines are of one row`
    group.push(line)
  }
  const last = take()
  if (last !== undefined) yield last
}

/** The bytes of each cell as UTF-8; `undefined` when one is not. */
function decode(record: readonly string[]): readonly string[] | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    return record.map((cell) => (/^[\0-\x7f]*$/.test(cell) ? cell : decoder.decode(Buffer.from(cell, 'latin1'))))
  } catch {
    return undefined
  }
}

/** The one of which the first line has most, outside of quotes. */
function delimiterIn(head: Buffer): string {
  const [first = ''] = head
    .toString('latin1')
    .replace(/"[^"]*"/g, '')
    .split(/[\n\r]/, 1)
  const counts = DELIMITERS.map((delimiter) => first.split(delimiter).length)
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ','
}
