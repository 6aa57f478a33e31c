import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { buildApp } from '../../app.js'
import { loadProcessConfig } from '../../plugins/config.js'
import { inSnapshot } from '../../services/export/snapshot.js'
import type { ExportArguments } from './arguments.js'
import { grouped, openProgress } from '../progress.js'
import { countLines, exportedLines } from './lines.js'

/** Nobody else has the session, or the connection, so it may wait for whoever reads. */
const NO_LIMIT = 0

/**
 * Writes a catalogue from the service's own database; it does not listen.
 * @returns how many lines
 */
export async function runExport(args: ExportArguments): Promise<number> {
  const { file, isPacked } = args
  const app = await buildApp(await loadProcessConfig({ listens: false }), { logLevel: 'silent' })
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort())
  const { signal } = interruption
  const part = file === undefined ? undefined : `${file}.part`
  const output = part === undefined ? process.stdout : createWriteStream(part, { mode: 0o600 })
  let lines = 0
  let onLines = (): void => {}
  const counted = async function* (chunks: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const chunk of chunks) {
      lines += chunk.split('\n').length - 1
      onLines()
      yield chunk
    }
  }
  try {
    await inSnapshot(app.db, NO_LIMIT, async (snapshot) => {
      // Beside rows on the standard output a bar would be in the way.
      const progress = part === undefined ? undefined : openProgress(await countLines(snapshot, args))
      onLines = () => progress?.update(lines, `${grouped(lines)} lines`)
      const chunks = Readable.from(counted(exportedLines(snapshot, app.db.kind, args)), { highWaterMark: 1 })
      // The standard output is not ours to end, and has no end to wait for.
      const end = part !== undefined
      const written = isPacked
        ? pipeline(chunks, createGzip(), output, { signal, end })
        : pipeline(chunks, output, { signal, end })
      await written.finally(() => progress?.end())
    })
    if (file !== undefined && part !== undefined) renameSync(part, file)
    return lines
  } catch (error) {
    if (part !== undefined) rmSync(part, { force: true })
    throw signal.aborted
      ? new Error('Interrupted: nothing that could be imported as a whole was written', { cause: error })
      : error
  } finally {
    await app.close()
  }
}
