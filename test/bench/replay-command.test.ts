import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { TYPESCRIPT } from '../helpers/typescript.js'
// oxlint-disable-next-line import/no-unassigned-import -- its children start a Redis: where there is none, `npm test` leaves it out
import '../helpers/servers/redis.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Five starts of an embedded database: a minute. replay.test.ts has the same replays on PostgreSQL. */
const skip = process.env['LONG_TESTS'] === undefined && 'npm run test:long takes its time'

t.test('npm run replay works with nothing but Node and Redis, and prints its table', { skip }, async (t) => {
  const args = [TYPESCRIPT, 'bench/replay.ts', '--requests', '300', '--check']
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { PATH: process.env['PATH'] } })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  const [code]: unknown[] = await once(child, 'close')
  t.equal(code, 0)
  t.match(output, /^300 requests for \d+ pages, 4 at a time, on PGlite$/m)
  t.match(output, /^\| failures +\| +0 \| +0 \| +0 \|$/m)
  t.match(output, /^met +memory and Redis: exactly one load per page/m)
})
