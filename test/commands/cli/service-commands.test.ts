import { createServer } from 'node:http'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { table } from '../../../commands/cli/output.js'
import { ADMIN_TOKEN, startService, type TestService } from '../../helpers/app.js'
import { callCli, type CliOutcome, runCli, runCliAtTerminal, startCli } from '../../helpers/cli.js'
import { until } from '../../helpers/deadline.js'
import { freePort, temporaryDirectory } from '../../helpers/servers/servers.js'

const NOBODY = '01890a5d-ac96-774b-bcce-b302099a8057'
const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }
const hasTerminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).output?.join().includes('util-linux')
const GREEN = '\u001b[32mhealthy\u001b[39m'
const atTerminal = { skip: !hasTerminal && 'script of util-linux is missing' }

t.setTimeout(120_000)

interface Listening extends TestService {
  readonly url: string
  cli(args: readonly string[], token?: string): Promise<CliOutcome>
}

async function listening(test: Test): Promise<Listening> {
  const service = await startService(test)
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' })
  return {
    ...service,
    url,
    cli: (args, token = ADMIN_TOKEN) => callCli(args, { url, token }),
  }
}

t.test('health: a document, an exit code, and no token needed', async (t) => {
  const { url } = await listening(t)
  const { code, json, errors } = await runCli(['health', '--url', url])
  t.match({ code, json, errors }, { code: 0, json: { status: 'healthy', state: 'memory-only' }, errors: '' })
})

t.test('a user is made, and a token that works until it is revoked', async (t) => {
  const { cli, app } = await listening(t)
  const made = await cli(['user', 'create', '--email', 'fox@example.com', '--shop-name', 'Fox Prints', '--plan', 'pro'])
  t.match(made, { code: 0, json: { email: 'fox@example.com', shop_name: 'Fox Prints', subscription_plan: 'pro' } })
  const userId: string = made.json.id
  const issued = await cli([
    'token',
    'create',
    '--user',
    userId,
    '--name',
    'first',
    '--expires',
    '2099-01-01T00:00:00Z',
  ])
  t.match(issued, { code: 0, json: { name: 'first', expires_at: /^2099/ } })
  const statusOf = async (token: string): Promise<number> =>
    (await app.inject({ url: '/api/users/me', headers: { authorization: `Bearer ${token}` } })).statusCode
  t.equal(await statusOf(issued.json.token), 200)
  const revoked = await cli(['token', 'revoke', issued.json.id, '--user', userId])
  t.match(revoked, { code: 0, json: { revoked: issued.json.id } })
  t.equal(await statusOf(issued.json.token), 401)

  const twice = await cli(['user', 'create', '--email', 'FOX@example.com', '--shop-name', 'Another'])
  t.match(twice, { code: 1, output: '' })
  t.match(JSON.parse(twice.errors), { code: 'EMAIL_TAKEN' })
  const odd = await cli(['user', 'create', '--email', 'x@example.com', '--shop-name', 'X', '--plan', 'gold'])
  t.match(odd, { code: 1, errors: /subscription_plan/ })
})

t.test('clear and inspect: what was in memory is there no more', async (t) => {
  const { cli, app, newUser } = await listening(t)
  const user = await newUser()
  const { body: design } = await user.post('/api/designs', DESIGN)
  const path = `/api/designs/${design.id}`
  const { body: template } = await user.post('/api/templates', {
    name: 'm',
    title: 'm',
    platform: 'etsy',
    product_type: 'm',
  })
  await user.get(path)
  const before = await cli(['inspect', path, '--user', user.id])
  t.match(before, { code: 0, json: { memory: { present: true } } })
  t.match(await cli(['inspect', before.json.key]), { code: 0, json: { key: before.json.key } }, 'by its key')
  for (const address of [`https://api.example${path}`, `HTTP://api.example:8080/shop${path}/`])
    t.match(await cli(['inspect', address]), { code: 0, json: { key: before.json.key } }, address)
  const list = await cli(['inspect', 'https://api.example/api/designs?limit=5&tag=a', '--user', user.id])
  t.match(list, { code: 0, json: { key: new RegExp(`^${user.id}/designs`) } }, 'with a query')

  t.match(await cli(['clear', 'user', user.id]), { code: 0, json: { cleared: 'user', user_id: user.id } })
  const after = await cli(['inspect', path, '--user', user.id])
  t.not(after.json.memory.verdict, before.json.memory.verdict, 'it is of no use any more')
  t.match(await cli(['clear', 'user', user.id], user.token), { code: 0 }, 'they may themselves')
  t.match(await cli(['clear', 'template', template.id]), { code: 0, json: { cleared: 'template' } })
  await user.get(path)
  t.match(await cli(['clear', 'all']), { code: 0, json: { cleared: 'everything' } })
  t.equal(app.cache.stats().memoryItems, 0)

  const other = await newUser()
  t.match(await cli(['clear', 'user', user.id], other.token), { code: 77, errors: /403/ }, 'another may not')
  t.match(await cli(['clear', 'all'], user.token), { code: 77 })
  t.match(await cli(['clear', 'template', NOBODY]), { code: 1, errors: /404|NOT_FOUND/ })
  await user.get(path)
  for (const id of ['..', '.', '', '../all']) {
    t.match(await cli(['clear', 'user', id]), { code: 64, errors: /UUID/ }, 'what is no id leads nowhere else')
  }
  t.not(app.cache.stats().memoryItems, 0)
})

t.test('stats: once, and watched as lines until it is interrupted', async (t) => {
  const { cli, url, newUser } = await listening(t)
  await newUser()
  t.match(await cli(['stats']), { code: 0, json: { service_status: 'healthy', cache_stats: { enabled: true } } })
  const child = startCli(['stats', '--watch', '--every', '0.2'], { env: { ROUNDHOUSE_URL: url } })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  await until(() => output.split('\n').length > 3, { timeoutMs: 30_000, describe: 'three lines are there' })
  const ended = once(child, 'exit')
  child.kill('SIGINT')
  t.equal((await ended)[0], 0)
  for (const line of output.trim().split('\n')) t.match(JSON.parse(line), { service_status: 'healthy' })
})

t.test('the token comes from the environment, a file or the standard input, and from no argument', async (t) => {
  const { url } = await listening(t)
  const file = join(temporaryDirectory(), 'token')
  writeFileSync(file, `${ADMIN_TOKEN}\n`)
  t.match(await callCli(['clear', 'all', '--url', url, '--token-file', file]), { code: 0 })
  t.match(await callCli(['clear', 'all', '--url', url, '--token-file', '-'], { input: ADMIN_TOKEN }), { code: 0 })
  t.match(await callCli(['clear', 'all', '--url', url]), { code: 77, errors: /ROUNDHOUSE_TOKEN/ })
  t.match(await callCli(['clear', 'all', '--url', url, '--token', ADMIN_TOKEN]), { code: 64, errors: /unknown option/ })
  t.match(await callCli(['clear', 'all', '--url', url, '--token-file', '/nowhere']), { code: 64, errors: /ENOENT/ })
  const folder = temporaryDirectory()
  writeFileSync(join(folder, '.env'), `ROUNDHOUSE_URL=${url}\nROUNDHOUSE_TOKEN=${ADMIN_TOKEN}\n`)
  t.match(await runCli(['clear', 'all'], { cwd: folder }), { code: 0 }, 'or from .env')
  const odd = await callCli(['clear', 'all', '--url', url], { token: 'two words' })
  t.match(odd, { code: 64, errors: /token/ })
  t.notMatch(odd.errors, 'two words')
})

t.test('a service that is away, or is another program, has an exit code of its own', async (t) => {
  t.match(await callCli(['health', '--url', `http://127.0.0.1:${await freePort()}`]), {
    code: 69,
    errors: /does not answer \(.*ECONNREFUSED/,
  })
  const other = createServer((request, response) => {
    if (request.url === '/api/cache/stats') response.writeHead(302, { location: 'http://example.com/' })
    response.end('<html>')
  }).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  t.match(await callCli(['health', '--url', url]), { code: 69, errors: /is --url right/ })
  t.match(await callCli(['stats', '--url', url]), { code: 1, errors: /redirects to http:\/\/example.com/ })
  t.match(await callCli(['health', '--url', 'ftp://x']), { code: 64 })
  t.match(await callCli(['health', '--url', 'http://user:secret@127.0.0.1']), { code: 64, errors: /ROUNDHOUSE_TOKEN/ })
})

t.test('another program that answers is not taken for the service, whatever it says', async (t) => {
  let [status, type, body] = [200, '', '']
  const other = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': type }).end(body)
  }).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  const id = '01a21dfc-24de-7841-8e9d-c3c4bfc40e95'
  const commands = [
    ['health'],
    ['stats'],
    ['stats', '--watch'],
    ['inspect', '/api/designs'],
    ['clear', 'all'],
    ['clear', 'user', id],
    ['user', 'create', '--email', 'fox@example.com', '--shop-name', 'Fox'],
    ['token', 'create', '--user', id, '--name', 'first'],
    ['token', 'revoke', id, '--user', id],
    ['changes'],
    ['changes', '--follow'],
  ]
  for (const [answer, contentType] of [
    ['{"ok":true}', 'application/json'],
    ['null', 'application/json'],
    ['[]', 'application/json'],
    ['"OK"', 'application/json'],
    ['', 'text/plain'],
    ['<html>', 'text/html'],
  ] as const) {
    ;[status, type, body] = [200, contentType, answer]
    for (const command of commands) {
      for (const terminal of [undefined, 'plain'] as const) {
        const outcome = await callCli([...command, '--url', url], { ...(terminal && { terminal }) })
        t.match(outcome, { code: 69, output: '', errors: /is --url right/ }, `${command.join(' ')}: ${answer}`)
      }
    }
  }

  ;[status, type, body] = [503, 'application/json', '{"message":"no healthy upstream"}']
  t.match(await callCli(['health', '--url', url]), { code: 69, output: '' }, 'a balancer without a replica')
  body = '{"statusCode":503,"code":"SERVICE_UNAVAILABLE","error":"Service Unavailable","message":"too busy"}'
  const busy = { code: 1, output: '', errors: /too busy.*SERVICE_UNAVAILABLE/ }
  t.match(await callCli(['health', '--url', url]), busy, 'a replica that does not say how it is')
})

t.test('wrong arguments are 64, help is 0', async (t) => {
  for (const args of [['nothing'], ['clear'], ['clear', 'user'], ['user', 'create'], ['stats', '--every', 'x'], []]) {
    t.equal((await callCli(args)).code, 64, args.join(' '))
  }
  for (const args of [['--help'], ['health', '--help'], ['import', '--help'], ['export', '--help']]) {
    t.match(await callCli(args), { code: 0, output: /Usage/ }, args.join(' '))
  }
})

t.test('at a terminal: tables, in colours where it has them', async (t) => {
  const { url, newUser } = await listening(t)
  const user = await newUser()
  await user.get('/api/designs')
  const asked = { url, token: ADMIN_TOKEN, terminal: 'plain' } as const
  const health = await callCli(['health'], { ...asked, terminal: 'coloured' })
  t.match(health, { code: 0, output: /^status +/m })
  t.ok(health.output.includes(GREEN))
  t.match((await callCli(['health'], asked)).output, /^status +healthy$/m)
  t.match((await callCli(['health', '--json'], asked)).json, { status: 'healthy' })
  t.match((await callCli(['stats'], asked)).output, /^hit_rate_percent +[\d.]+$/m)
  t.match((await callCli(['inspect', '/api/designs', '--user', user.id], asked)).output, /^present +yes +no$/m)
  const made = await callCli(['user', 'create', '--email', 'a@b.cc', '--shop-name', 'A{2JB'], asked)
  t.match(made.output, /^shop_name +A\{2JB$/m)
  t.match(await callCli(['clear', 'all'], { url, terminal: 'plain' }), { code: 77, errors: /401/ })

  const interruption = new AbortController()
  const watched = await callCli(['stats', '--watch', '--every', '0.1'], {
    ...asked,
    signal: interruption.signal,
    onOutput: (text) => text.split('\u001b[H').length > 3 && interruption.abort(),
  })
  t.match(watched, { code: 0, output: /^hits +\d+ +0\.0\/s$/m })
})

t.test('no data rules the terminal', async (t) => {
  t.equal(
    table([
      ['name', 'A\u001b[2J\u0007B\nC'],
      ['count', 1_000],
    ]),
    'name   A\uFFFD[2J\uFFFDB\uFFFDC\ncount      1,000',
  )
})

t.test('as a process: colours at a real terminal, none with NO_COLOR, JSON in a pipe', atTerminal, async (t) => {
  const { url } = await listening(t)
  const env = { ROUNDHOUSE_URL: url }
  t.ok((await runCliAtTerminal(['health'], { env })).output.includes(GREEN))
  const plain = await runCliAtTerminal(['health'], { env: { ...env, NO_COLOR: '1' } })
  t.match(plain.output, /^status +healthy$/m)
  t.notMatch(plain.output, '\u001b')
})
