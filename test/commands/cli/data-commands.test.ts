import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { eventsOf } from '../../../commands/cli/events.js'
import { ADMIN_TOKEN, startService } from '../../helpers/app.js'
import { callCli, runCli, startCli } from '../../helpers/cli.js'
import { until } from '../../helpers/deadline.js'
import { temporaryDirectory } from '../../helpers/servers/servers.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }

t.setTimeout(240_000)

const postgres = await sharedPostgres(t)

t.test('import and export: documents in a pipe, their exit codes, and what was brought in comes out', async (t) => {
  const DATABASE_URL = await postgres.serviceDatabase()
  const env = { DATABASE_URL, ADMIN_TOKENS: ADMIN_TOKEN }
  const { app, newUser } = await startService(t, { env })
  const user = await newUser()
  const folder = temporaryDirectory()
  const [rows, out] = [join(folder, 'rows.ndjson'), join(folder, 'out.ndjson')]
  writeFileSync(rows, `${JSON.stringify(DESIGN)}\n{"filename":""}\n`)
  const imported = await runCli(['import', rows, '--user', user.id], { env })
  t.match(imported, { code: 2, json: { read: 2, created: 1, refused: 1, dry_run: false } })
  t.match(await user.get('/api/designs'), { body: { items: [{ filename: 'fox.png' }] } })

  const exported = await runCli(['export', '--user', user.id, '--out', out], { env })
  t.match(exported, { code: 0, json: { file: out, lines: 1 }, errors: /1 lines/ })
  t.match(JSON.parse(readFileSync(out, 'utf8')), { filename: 'fox.png' })
  const piped = await runCli(['export', '--all', '--json'], { env })
  t.equal(piped.output.trim().split('\n').length, 2, 'the user and the design, and nothing else')
  t.equal(piped.code, 0)
  t.match(await runCli(['import', rows], { env }), { code: 64, errors: /--user/ })
  t.match(await runCli(['export'], { env }), { code: 64, errors: /--user or --all/ })
  t.ok(app.server)
})

t.test('import and export say their own help', async (t) => {
  for (const name of ['import', 'export']) {
    const { code, output } = await callCli([name, '--help'], {})
    t.match({ code, output }, { code: 0, output: new RegExp(`^Usage: roundhouse ${name} .*--user <id>`) })
  }
})

t.test('changes: from a cursor, page by page, to where to go on', async (t) => {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const [user, other] = [await newUser(), await newUser()]
  const asked = { url, token: user.token }
  const begin = await callCli(['changes'], asked)
  t.equal(begin.code, 0)
  await user.post('/api/designs', { ...DESIGN, external_id: 'a\u009bb' })
  const { body: gone } = await user.post('/api/designs', DESIGN)
  await user.delete(`/api/designs/${gone.id}`)
  await other.post('/api/designs', DESIGN)
  const since = ['changes', '--since', begin.json.next_cursor]
  const lines = (await callCli(since, asked)).output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(lines, [
    { kind: 'changed', row: { filename: 'fox.png' } },
    { kind: 'deleted', id: gone.id },
    { next_cursor: /./ },
  ])
  t.equal(lines.length, 3, 'nothing of another user')
  const shown = await callCli(since, { ...asked, terminal: 'plain' })
  t.match(shown.output, /^changed {2}designs\/\S+ {2}"a\uFFFDb" {2}version 1$/m)
  t.match(await callCli(['changes', '--since', 'nonsense'], asked), { code: 1, errors: /CURSOR/ })
  t.match(await callCli(['changes'], { url, token: ADMIN_TOKEN }), { code: 77 }, 'an administrator has no rows')
})

t.test('changes --follow: nothing missed over a lost connection, nothing twice, and an end on Ctrl-C', async (t) => {
  const { app, newUser } = await startService(t, { isEmbedded: true })
  const service = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const user = await newUser()
  let connections = 0
  let cut = (): void => {}
  const proxy = createServer((socket) => {
    connections++
    const upstream = connect(Number(service.port), '127.0.0.1')
    socket
      .on('error', () => {})
      .on('close', () => upstream.destroy())
      .pipe(upstream)
    upstream
      .on('error', () => {})
      .on('close', () => socket.destroy())
      .pipe(socket)
    cut = () => socket.destroy()
  }).listen(0, '127.0.0.1')
  t.teardown(() => proxy.close())
  await once(proxy, 'listening')
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const child = startCli(['changes', '--follow'], { env: { ROUNDHOUSE_URL: url, ROUNDHOUSE_TOKEN: user.token } })
  t.teardown(() => child.kill('SIGKILL'))
  let [output, errors] = ['', '']
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  child.stderr?.on('data', (chunk) => (errors += String(chunk)))
  const lines = (): readonly { id: string }[] =>
    output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const made: string[] = []
  const make = async (): Promise<void> => {
    const { body } = await user.post('/api/designs', DESIGN)
    made.push(body.id)
  }
  await until(() => connections === 1, { timeoutMs: 60_000, describe: 'it has connected' })
  await until(
    async () => {
      await make()
      return lines().length > 0
    },
    { timeoutMs: 60_000, intervalMs: 300, describe: 'it follows' },
  )
  await until(() => lines().at(-1)?.id === made.at(-1), { timeoutMs: 30_000, describe: 'it tells of the last one' })
  const first = made.indexOf(lines()[0]?.id ?? '')
  cut()
  await make()
  await make()
  await until(() => lines().at(-1)?.id === made.at(-1), { timeoutMs: 30_000, describe: 'it has caught up' })
  t.ok(connections > 1)
  t.same(
    lines().map(({ id }) => id),
    made.slice(first),
    'each once, in order',
  )
  const exit = once(child, 'exit')
  child.kill('SIGINT')
  t.equal((await exit)[0], 0)
  t.match(errors, /Go on with --since \S+\n$/)
})

t.test('changes --follow: a cursor that is of no use, and a token that is revoked, end it', async (t) => {
  const { app, newUser, admin } = await startService(t, { isEmbedded: true })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const user = await newUser()
  const asked = { url, token: user.token }
  t.match(await callCli(['changes', '--follow', '--since', 'nonsense'], asked), {
    code: 1,
    errors: /^(?!Go on)[^]*CURSOR/,
  })
  const { body: tokens } = await admin.get(`/api/users/${user.id}/tokens`)
  let told = ''
  const following = callCli(['changes', '--follow'], { ...asked, onOutput: (output) => (told = output) })
  const isTold = async (): Promise<boolean> => {
    await user.post('/api/designs', DESIGN)
    return told !== ''
  }
  await until(isTold, { timeoutMs: 60_000, intervalMs: 300, describe: 'it follows' })
  await until(async () => (await admin.delete(`/api/users/${user.id}/tokens/${tokens.items[0].id}`)).status < 500, {
    describe: 'the token is revoked',
  })
  t.match(await following, { code: 77, errors: /Go on with --since \S+\n[^]*401/ })
})

t.test('events of a stream, however they are cut', async (t) => {
  const text = ': still here\nid: 1\n\nid: 2\ndata: {"a":"ü"}\n\nevent: over\ndata: {}\n\nid: 9'
  const bytes = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte))
  let pieces = 0
  const found = []
  for await (const event of eventsOf(bytes, () => pieces++)) found.push(event)
  t.same(found, [
    { id: '1', event: undefined, data: '' },
    { id: '2', event: undefined, data: '{"a":"ü"}' },
    { id: undefined, event: 'over', data: '{}' },
  ])
  t.equal(pieces, bytes.length)
})

t.test('replay: its help, and its exit codes and arguments are its own', async (t) => {
  t.match(await runCli(['replay', '--help']), { code: 0, output: /^Usage: npm run replay/ })
  for (const [args, sentence] of [
    [['--concurrency', '0'], /--concurrency must be a whole number/],
    [['--requests', 'x'], /--requests must be a whole number/],
    [['--nope'], /'--nope'/],
    [['no-such-trace'], /no-such-trace can not be read \(ENOENT\)/],
  ] as const) {
    const { code, output, errors } = await runCli(['replay', ...args])
    t.equal(code, 64, args.join(' '))
    t.same(Object.keys(JSON.parse(errors)), ['error'])
    t.match(JSON.parse(errors).error, sentence)
    t.equal(output, '')
  }
})
