import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ADMIN_TOKEN, startService } from '../helpers/app.js'

const hasCurl = spawnSync('curl', ['--version']).status === 0

t.test('the examples of docs/api.md do what they say', { skip: !hasCurl && 'curl is missing' }, async (t) => {
  const { app, newUser } = await startService(t)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const user = await newUser()
  const env = { ...process.env, API: `http://127.0.0.1:${port}/api`, TOKEN: user.token, ADMIN: ADMIN_TOKEN }
  const page = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8')
  const examples = [...page.matchAll(/^```sh[^\n]*\n(.*?)^```$/gms)].map(([, text = '']) => text)
  t.ok(examples.length >= 7)
  for (const example of examples) {
    const [status, output] = await run(example, env)
    t.equal(status, 0, `${example}\n${output}`)
  }
  const kept = (await user.get('/api/designs/by-external-id/sku-1')).body
  t.match(kept, { filename: 'fox.png', tags: ['fox'], version: 3 })
  t.equal((await user.get('/api/designs/by-external-id/sku-2')).status, 404)
  t.match((await user.get('/api/mockups')).body.items, [{ name: 'Mug with fox' }])
})

t.test('$API is the address with /api in every document', async (t) => {
  const root = join(import.meta.dirname, '../..')
  const pages = [
    'README.md',
    ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ]
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, address = ''] of text.matchAll(/\bAPI=(\S*?)[`'"\s]/g)) t.match(address, /\/api$/, page)
    t.notMatch(text, /\$(?:API\/api|URL)\b/, page)
  }
})

function run(text: string, env: NodeJS.ProcessEnv): Promise<[status: number | null, output: string]> {
  return new Promise((resolve) => {
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', text], { env })
    let output = ''
    for (const stream of [shell.stdout, shell.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    shell.on('close', (status) => resolve([status, output]))
  })
}
