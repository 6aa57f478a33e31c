import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type Counts, importLines, type Trouble } from '../../commands/import/importer.js'
import { linesOf } from '../../commands/import/lines.js'
import { MOST_LINE_BYTES } from '../../commands/import/row-bytes.js'
import { BatchWriter } from '../../commands/import/writer.js'
import { PlannedRows } from '../../services/resource/import/planned-rows.js'
import { importBegins } from '../../services/resource/import/since.js'

/** A line of a design. */
export const design = (filename: string, more: object = {}) => ({
  filename,
  file_path: '/a',
  platform: 'etsy',
  ...more,
})

/** A line of a template. */
export const template = (name: string, more: object = {}) => {
  return { name, title: name, platform: 'etsy', product_type: 'mug', ...more }
}

export interface ImportSettings {
  readonly existing?: 'compare' | 'update' | 'keep'
  readonly isDryRun?: boolean
  readonly keeps?: boolean
}

export interface Imported {
  /** Without those that are 0. */
  readonly counts: Partial<Counts>
  readonly troubles: readonly string[]
}

/** What `npm run import` does with these lines, in this process; `userId` undefined is `--all`. */
export async function imported(
  app: FastifyInstance,
  userId: string | undefined,
  lines: readonly object[],
  { existing = 'compare', isDryRun = false, keeps = false }: ImportSettings = {},
): Promise<Imported> {
  const troubles: Trouble[] = []
  const text = lines.map((line) => JSON.stringify(line)).join('\n')
  const planned = isDryRun ? new PlannedRows() : undefined
  const since = await importBegins(app.db)
  const counts = await importLines({
    lines: linesOf(Readable.from([Buffer.from(text)]), MOST_LINE_BYTES),
    maxLineBytes: MOST_LINE_BYTES,
    kind: undefined,
    kept: { ids: keeps, dates: keeps },
    writer: new BatchWriter(app, userId, { existing, planned, since }),
    signal: new AbortController().signal,
    onTrouble: (trouble) => troubles.push(trouble),
    onBatch: () => {},
  })
  return {
    counts: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    troubles: troubles.map(({ line, outcome, reasons }) => `${line} ${outcome}: ${reasons.join('; ')}`),
  }
}
