import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const page = readFileSync(join(import.meta.dirname, '../../docs/changes.md'), 'utf8')
const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }

t.setTimeout(120_000)

/** The block of the page that has this file name. */
function blockOf(file: string): string {
  const [, text] = page.split(new RegExp('^```\\w+ ' + file.replace('.', '\\.') + '$', 'm'))
  if (text === undefined) throw new Error(`docs/changes.md has no ${file}`)
  return text.split(/^```$/m)[0] ?? ''
}

for (const [file, command] of [
  ['follow.mjs', process.execPath],
  ['follow.py', 'python3'],
] as const) {
  const isMissing = spawnSync(command, ['--version']).error !== undefined
  t.test(`${file} follows`, { skip: isMissing && `${command} is missing` }, async (t) => {
    const { app, newUser } = await startService(t, { isEmbedded: true })
    const port = new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port
    const user = await newUser()
    await user.post('/api/designs', DESIGN)
    const path = join(temporaryDirectory(), file)
    writeFileSync(path, blockOf(file))
    const env = { PATH: process.env['PATH'], API: `http://127.0.0.1:${port}/api`, TOKEN: user.token }
    const follower: ChildProcess = spawn(command, [path], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => follower.kill('SIGKILL'))
    let output = ''
    for (const stream of [follower.stdout, follower.stderr])
      stream?.on('data', (text: Buffer) => (output += text.toString()))
    await until(
      async () => {
        const { body } = await user.post('/api/designs', DESIGN)
        await user.delete(`/api/designs/${body.id}`)
        return output.includes(' 1 rows')
      },
      { timeoutMs: 60_000, intervalMs: 500, describe: 'it tells of changes' },
    )
    await user.post('/api/templates', { name: 'm', title: 'm', platform: 'etsy', product_type: 'm' })
    await until(() => output.includes(' 2 rows'), { timeoutMs: 30_000, describe: 'it has the template too' })
    t.notMatch(output, /error/i)
  })
}
