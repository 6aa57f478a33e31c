import { parseImportArguments, usage } from './import/arguments.js'
import { runImport, summary } from './import/run.js'

const FAILED = 1

try {
  const args = parseImportArguments(process.argv.slice(2))
  if (args === undefined) console.log(usage)
  else process.exitCode = await runImport(args, (outcome) => console.log(summary(outcome)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = FAILED
}
