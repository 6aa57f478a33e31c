import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { TYPESCRIPT } from '../../../helpers/typescript.js'

/** As many as the time allows in every run of the tests; `npm run test:schedules` takes 20,000. */
const SCHEDULES = 2_000
const LIMIT_SECONDS = 15
/** Beside the schedules, for making a broken promise's story short. */
const TEST_LIMIT_MS = 110_000

t.test(
  'every promise is kept under explored schedules of reads, writes and faults',
  { timeout: TEST_LIMIT_MS },
  async (t) => {
    // In a process of its own: what the test runner hangs on each promise makes it several times slower.
    const args = ['--schedules', String(SCHEDULES), '--limit-seconds', String(LIMIT_SECONDS)]
    const script = fileURLToPath(new URL('run.ts', import.meta.url))
    const child = spawn(process.execPath, [TYPESCRIPT, script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    })
    t.teardown(() => child.kill())
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code]: unknown[] = await once(child, 'close')
    t.comment(output.trim().split('\n').at(-1))
    t.equal(code, 0, { found: output })
  },
)
