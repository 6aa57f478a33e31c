/** `npm run drill:overload -- [scene …] --seconds 5 --seed N`: exit code 1 when a promise was broken. */
import { parseArgs } from 'node:util'
import { runOverloadDrill, scenes } from './drill.js'
import { broken, reportText } from './report.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '5' },
    pin: { type: 'boolean', default: false },
  },
})
const [seed, seconds] = [Number(values.seed), Number(values.seconds)]
const names = scenes.map(({ name }) => name)
const unknown = positionals.filter((name) => !names.includes(name))
if (!(seconds >= 1) || !Number.isInteger(seed) || unknown.length > 0) {
  console.error(`Usage: npm run drill:overload -- [scene …] [--seconds <number>] [--seed <integer>] [--pin]
Scenes: ${names.join(', ')}`)
  process.exit(2)
}
process.once('SIGINT', () => process.exit(130))
console.log(`seed ${seed}`)
const options = { seed, seconds, isPinned: values.pin, isShort: false, log: console.log }
const chosen = positionals.length === 0 ? scenes : scenes.filter(({ name }) => positionals.includes(name))
const report = await runOverloadDrill(chosen, options)
console.log(`\n${reportText(report, options)}`)
process.exit(broken(report).length === 0 ? 0 : 1)
