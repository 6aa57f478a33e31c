import { isMet, type Row, type Table, type Target } from './benchmark.js'
import type { Spread } from './statistics.js'

/** A table as Markdown, the form docs/performance.md has it in. */
export function markdownOf({ title, floor, rows, notes = [] }: Table): string {
  const cells = rows.map((row) => [
    row.name,
    `${figure(row.value.median)} ${row.unit}`,
    spread(row.value),
    row.ratio === undefined ? '' : figure(row.ratio.median),
    row.ratio === undefined ? '' : spread(row.ratio),
    targetCell(row),
    row.note ?? '',
  ])
  const head = ['', 'median', 'min to max', 'ratio', 'min to max', 'target', '']
  // Columns that no row uses say nothing.
  const used = head.map((_, at) => at < 2 || cells.some((cell) => cell[at] !== ''))
  const line = (cell: readonly string[]): string => `| ${cell.filter((_, at) => used[at]).join(' | ')} |`
  return [
    `### ${title}${floor === undefined ? '' : ` (1 = ${floor})`}`,
    '',
    line(head),
    `|${used
      .filter(Boolean)
      .map(() => '---')
      .join('|')}|`,
    ...cells.map(line),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)]),
  ].join('\n')
}

function targetCell(row: Row): string {
  if (row.target === undefined) return ''
  return `${bound(row.target)}: ${isMet(row) === true ? 'met' : '**missed**'}`
}

export function bound({ of, atLeast, atMost }: Target): string {
  const parts = [...(atLeast === undefined ? [] : [`≥ ${atLeast}`]), ...(atMost === undefined ? [] : [`≤ ${atMost}`])]
  return `${of === 'ratio' ? '' : 'value '}${parts.join(', ')}`
}

function spread({ min, max }: Spread): string {
  return min === max ? '' : `${figure(min)} to ${figure(max)}`
}

/** Three digits that count; whole numbers from a thousand on, with their groups. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US')
  if (Number.isInteger(value)) return String(value)
  return value.toPrecision(value < 0.095 ? 2 : 3)
}
