import { parseExportArguments, usage } from './export/arguments.js'
import { runExport } from './export/run.js'
import { grouped } from './progress.js'

const FAILED = 1

// Whoever reads may have had enough.
process.stdout.on('error', () => {})
try {
  const args = parseExportArguments(process.argv.slice(2))
  if (args === undefined) console.log(usage)
  else console.error(`${grouped(await runExport(args))} lines`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = FAILED
}
