import { statSync } from 'node:fs'
import { BODY_LIMIT_BYTES, buildApp } from '../app.js'
import { loadProcessConfig } from '../plugins/config.js'
import { parseImportArguments, usage, type ImportArguments } from './import/arguments.js'
import { importLines, type Counts } from './import/importer.js'
import { openLines } from './import/lines.js'
import { openTargets } from './import/targets.js'
import { grouped, openProgress } from './progress.js'

const SOME_LINES_BAD = 2
const FAILED = 1

/** Loads a catalogue into the service's own database, by its own services; it does not listen. */
async function run({ file, userId, kind }: ImportArguments): Promise<number> {
  // A missing file is said before a database is opened, or made.
  statSync(file)
  const app = await buildApp(await loadProcessConfig({ listens: false }), { logLevel: 'silent' })
  const interruption = new AbortController()
  // More than once: npm hands a Ctrl-C on to a process that the terminal has told already.
  process.on('SIGINT', () => interruption.abort())
  try {
    const { value: user } = await app.users.get(userId)
    if (user === undefined) throw new Error(`There is no user ${userId}: create the user first (POST /api/users)`)

    const startedAt = performance.now()
    const { sizeBytes, readBytes, lines } = openLines(file, BODY_LIMIT_BYTES)
    const progress = openProgress(sizeBytes)
    const counts = await importLines({
      lines,
      kind,
      targets: openTargets(app, userId),
      signal: interruption.signal,
      onBad: (line, reason) => progress.print(`Line ${line}: ${reason}`),
      onBatch: (so) => progress.update(readBytes(), `${grouped(so.read)} lines, ${grouped(so.imported)} imported`),
    }).finally(() => progress.end())
    console.log(summary(counts, performance.now() - startedAt))
    if (interruption.signal.aborted) throw new Error('Interrupted: run the same import again to go on')
    return counts.bad > 0 ? SOME_LINES_BAD : 0
  } finally {
    await app.close()
  }
}

function summary({ read, imported, alreadyThere, bad }: Counts, elapsedMs: number): string {
  const rows = { 'lines read': read, imported, 'already there': alreadyThere, bad }
  const table = Object.entries(rows).map(([name, count]) => `${name.padEnd(14)}${grouped(count).padStart(12)}`)
  return [...table, `${'seconds'.padEnd(14)}${(elapsedMs / 1_000).toFixed(1).padStart(12)}`].join('\n')
}

try {
  const args = parseImportArguments(process.argv.slice(2))
  if (args === undefined) console.log(usage)
  else process.exitCode = await run(args)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = FAILED
}
