import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { TYPESCRIPT } from '../helpers/typescript.js'
// oxlint-disable-next-line import/no-unassigned-import -- its children start a Redis: where there is none, `npm test` leaves it out
import '../helpers/servers/redis.js'

const run = promisify(execFile)

/**
 * What each must print a table of. Nothing is timed here: `--smoke` takes one turn of some milliseconds. These are the
 * quick ones to start; `npm run bench -- --smoke` starts all of them, in some minutes.
 */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  'memory-hit': ['getOrLoad, one at a time', 'getOrLoad, 64 at a time', 'synchronous read'],
  'redis-hang': ['as configured by default'],
}

t.jobs = 2
for (const [name, titles] of Object.entries(TABLES)) {
  t.test(`the benchmark ${name} starts and prints its tables`, async (t) => {
    const { stdout } = await run(process.execPath, [TYPESCRIPT, 'bench/run.ts', name, '--smoke'])
    for (const title of titles) t.match(stdout, new RegExp(`^### .*${title}`, 'm'))
    t.match(stdout, /^Node v.*load/m, 'it says on which machine')
  })
}

t.test('an unknown name is refused with the names there are', async (t) => {
  const refused = run(process.execPath, [TYPESCRIPT, 'bench/run.ts', 'no-such', '--smoke'])
  await t.rejects(refused, { code: 2, stderr: /There is no benchmark no-such[^]*memory-hit/ })
})
