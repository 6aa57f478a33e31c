import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startService } from '../../helpers/app.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'

const MODULES = join(import.meta.dirname, '../../client/node_modules')
const run = promisify(execFile)

/** A program of somebody who knows the document alone. */
const PROGRAM = `
import createClient from 'openapi-fetch'
import type { paths } from './api.js'

const [, , baseUrl = '', token = ''] = process.argv
const client = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + token } })
const said: unknown[] = []

const created = await client.POST('/api/designs', {
  body: { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy', tags: ['fox'] },
})
if (created.data === undefined) throw new Error(created.error.code)
const path = { id: created.data.id }
said.push(created.response.status, created.data.tags.length)

const changed = await client.PATCH('/api/designs/{id}', { params: { path }, body: { description: 'A red fox' } })
if (changed.data === undefined) throw new Error(changed.error.code)
said.push(changed.data.version, changed.data.description)

const list = await client.GET('/api/designs', { params: { query: { platform: 'etsy', limit: 1 } } })
if (list.data === undefined) throw new Error(list.error.code)
const [first] = list.data.items
said.push(first?.filename, list.data.next_cursor)

const deleted = await client.DELETE('/api/designs/{id}', { params: { path } })
const gone = await client.GET('/api/designs/{id}', { params: { path } })
said.push(deleted.response.status, gone.error?.code === 'NOT_FOUND')
// @ts-expect-error -- the list has no such filter
await client.GET('/api/designs', { params: { query: { nonsense: 1 } } })
// @ts-expect-error -- a design has a file name
await client.POST('/api/designs', { body: { platform: 'etsy' } })
console.log(JSON.stringify(said))
`

const skip = existsSync(MODULES) ? {} : { skip: 'the makers of clients are missing: npm run test:setup installs them' }

t.test('a client that is generated from the document makes, changes, lists and deletes', skip, async (t) => {
  const { app, newUser } = await startService(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { token } = await newUser()

  const folder = join(temporaryDirectory(), 'client')
  mkdirSync(folder)
  symlinkSync(MODULES, join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'program.ts'), PROGRAM)
  const settings = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: [],
    lib: ['es2023', 'dom'],
  }
  const declared = 'declare const process: { argv: string[] }'
  writeFileSync(join(folder, 'globals.d.ts'), declared)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: settings }))
  const program = (...parts: string[]): string => join(MODULES, ...parts)
  const node = async (...args: string[]) => (await run(process.execPath, args, { cwd: folder })).stdout

  await node(program('openapi-typescript/bin/cli.js'), `${url}/openapi.json`, '-o', 'api.d.ts')
  await node(program('typescript/bin/tsc'), '-p', '.').catch((error: { stdout: string }) => t.fail(error.stdout))
  const said = JSON.parse(await node('program.js', url, token))
  t.same(said, [201, 1, 2, 'A red fox', 'fox.png', null, 204, true])
})
