import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

/** What each benchmark must print a table of. Nothing is timed here: `--smoke` takes one turn of some milliseconds. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  'memory-hit': ['getOrLoad, one at a time', 'getOrLoad, 64 at a time', 'synchronous read'],
  'redis-hit': ['memory off, 64 at a time', 'memory off, 512 at a time', 'memory too small'],
  'miss-fill': ['miss and fill, 64 at a time'],
  'cold-key': ['readers in one process', 'in each of 4 processes'],
  zipf: ['requests per second', 'loads'],
  'tag-invalidation': ['100 keys', '1,000 keys'],
  'redis-hang': ['as configured by default'],
  'write-cost': ['1 client', '32 clients'],
  memory: ['the memory tier', 'first 200'],
  compression: ['2 KiB, hits', '64 KiB, fills', 'over HTTP'],
  http: ['a design of 1 KiB', 'a list of 50 designs', 'p99'],
  profile: ['memory hit, by package or file', 'memory hit, by function'],
  scale: ['over more replicas', 'more writes'],
}

t.jobs = 2
for (const [name, titles] of Object.entries(TABLES)) {
  t.test(`the benchmark ${name} starts and prints its tables`, async (t) => {
    const { stdout } = await run(process.execPath, ['--import=tsx', 'bench/run.ts', name, '--smoke'])
    for (const title of titles) t.match(stdout, new RegExp(`^### .*${title}`, 'm'))
    t.match(stdout, /^Node v.*load/m, 'it says on which machine')
  })
}

t.test('an unknown name is refused with the names there are', async (t) => {
  const refused = run(process.execPath, ['--import=tsx', 'bench/run.ts', 'no-such', '--smoke'])
  await t.rejects(refused, { code: 2, stderr: /There is no benchmark no-such[^]*memory-hit/ })
})
