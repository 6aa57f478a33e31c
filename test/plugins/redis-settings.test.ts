import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type Certificates, certificateFor, tlsArguments } from '../helpers/servers/certificates.js'
import { until } from '../helpers/deadline.js'
import { startRedis } from '../helpers/servers/redis.js'
import { freePort, ServerProcess, temporaryDirectory } from '../helpers/servers/servers.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

t.setTimeout(180_000)

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The service's own client in a process of its own, which knows an authority by NODE_EXTRA_CA_CERTS. Says what a write was answered. */
const PROGRAM = `
import Fastify from 'fastify'
import config, { loadConfig } from './plugins/config.ts'
import redis from './plugins/redis.ts'
const app = Fastify()
const errors = new Set()
await app.register(config, { config: loadConfig(process.env) })
await app.register(redis)
await app.ready()
app.redis.on('error', ({ message }) => errors.add(message)).on('node error', ({ message }) => errors.add(message))
let said = ''
for (const until = Date.now() + Number(process.env.PATIENCE_MS); said !== 'OK' && Date.now() < until; ) {
  said = await app.redis.set('roundhouse:' + process.pid, 'x', 'PX', 60_000).catch(({ message }) => message)
  await new Promise((resolve) => setTimeout(resolve, 50))
}
console.log([said, ...errors].join('; '))
await app.close()
process.exit()
`

async function writeWith(env: Record<string, string>, patienceMs = 15_000): Promise<string> {
  const options = { cwd: ROOT, env: { PATH: process.env['PATH'], PATIENCE_MS: String(patienceMs), ...env } }
  const args = [TYPESCRIPT, '--input-type=module', '-e', PROGRAM]
  return (await run(process.execPath, args, options)).stdout.trim()
}

const base = { REDIS_COMMAND_TIMEOUT_MS: '2000' }

t.test('a database that the server does not have is never number 0 instead', async (t) => {
  const server = await startRedis({ args: ['--databases', '4'] })
  t.teardown(() => server.stop())
  t.equal(await writeWith({ ...base, REDIS_URL: `${server.url}/3` }), 'OK')
  const said = await writeWith({ ...base, REDIS_URL: `${server.url}/4` }, 1_500)
  t.notMatch(said, /^OK/)
  t.match(said, 'ERR DB index is out of range')
  const { stdout } = await run('redis-cli', ['-p', String(server.port), 'info', 'keyspace'])
  t.notMatch(stdout, 'db0:')
})

t.test('a proxy that knows RESP2 and the few commands of the cache is enough', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const heard = new Set<string>()
  const proxy = createServer((socket) => {
    const upstream = connect(server.port, '127.0.0.1')
    socket
      .on('error', () => upstream.destroy())
      .on('data', (data) => {
        const [, command = ''] = /^\*\d+\r\n\$\d+\r\n(\w+)/.exec(data.toString()) ?? []
        heard.add(command.toLowerCase())
        if (['get', 'mget', 'set', 'del', 'ping'].includes(command.toLowerCase())) upstream.write(data)
        else socket.destroy()
      })
    upstream.on('error', () => socket.destroy()).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const address = proxy.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  t.equal(await writeWith({ ...base, REDIS_URL: `redis://127.0.0.1:${port}?protocol=2` }), 'OK')
  t.equal(await writeWith({ ...base, REDIS_URL: `redis://127.0.0.1:${port}` }), 'OK')
  t.notMatch(await writeWith({ ...base, REDIS_URL: `redis://127.0.0.1:${port}?protocol=3` }, 500), /^OK/)
  t.ok(heard.has('hello'), 'which is what it refused then')
})

t.test('an ACL with the rights that docs/operations.md names is enough', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const rights = ['~roundhouse:*', '-@all', '+get', '+mget', '+set', '+del', '+ping', '+select']
  await run('redis-cli', ['-p', String(server.port), 'acl', 'setuser', 'cache', 'on', '>p%w', ...rights])
  const url = new URL(server.url)
  url.username = 'cache'
  url.password = encodeURIComponent('p%w')
  t.equal(await writeWith({ ...base, REDIS_URL: `${url.href}/1` }), 'OK')
})

t.test(
  'rediss:// with sentinels is TLS all the way, and the sentinels have a user and a password of their own',
  async (t) => {
    const certificates = certificateFor('localhost')
    const tlsPort = await freePort()
    const master = await startRedis({ args: tlsArguments(certificates, tlsPort) })
    t.teardown(() => master.stop())
    await run('redis-cli', ['-p', String(master.port), 'config', 'set', 'requirepass', 'master-secret'])
    const port = await startSentinel(t, certificates, tlsPort)
    const env = {
      ...base,
      REDIS_URL: 'rediss://default:master-secret@localhost',
      REDIS_SENTINELS: `localhost:${port}`,
      REDIS_SENTINEL_USERNAME: 'watcher',
      REDIS_SENTINEL_PASSWORD: 'sentinel-secret',
      NODE_EXTRA_CA_CERTS: certificates.ca,
    }
    t.equal(
      await writeWith(env),
      'OK',
      'although the sentinel names the master by its address, which is in no certificate',
    )
    const { NODE_EXTRA_CA_CERTS: _, ...unknown } = env
    t.notMatch(await writeWith(unknown, 1_000), /^OK/, 'and a certificate of nobody is refused')
    t.match(await writeWith({ ...env, REDIS_SENTINEL_PASSWORD: 'wrong' }, 1_000), 'WRONGPASS')
  },
)

async function startSentinel(t: Test, certificates: Certificates, masterPort: number): Promise<number> {
  const [directory, port] = [temporaryDirectory(), await freePort()]
  const settings = [
    `port 0\ntls-port ${port}\ntls-auth-clients no\ntls-replication yes\ndir ${directory}`,
    `tls-cert-file ${certificates.cert}\ntls-key-file ${certificates.key}\ntls-ca-cert-file ${certificates.ca}`,
    `sentinel monitor mymaster 127.0.0.1 ${masterPort} 1\nsentinel auth-pass mymaster master-secret`,
    'user default off\nuser watcher on >sentinel-secret ~* &* +@all',
  ]
  const path = join(directory, 'sentinel.conf')
  writeFileSync(path, settings.join('\n'))
  chmodSync(path, 0o600)
  const args = [path, '--sentinel']
  const server = new ServerProcess({ command: 'redis-server', args, directory, lastSignal: 'KILL' })
  t.teardown(() => server.end('SIGTERM'))
  await until(() => server.hasExited || server.log().includes('+monitor'), {
    timeoutMs: 20_000,
    describe: 'a sentinel',
  })
  if (server.hasExited) throw new Error(server.log())
  return port
}

t.test('a cluster over TLS whose certificates are for names connects, by address and by name', async (t) => {
  const certificates = certificateFor('localhost')
  const ports = await Promise.all([1, 2, 3].map(freePort))
  const nodes = await Promise.all(
    ports.map((port) =>
      startRedis({
        args: [...tlsArguments(certificates, port), '--cluster-enabled', 'yes', '--tls-cluster', 'yes'],
      }),
    ),
  )
  t.teardown(() => Promise.all(nodes.map((node) => node.stop())))
  const cli = ['--tls', '--cacert', certificates.ca, '--sni', 'localhost']
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  await run('redis-cli', [...cli, '--cluster', 'create', ...addresses, '--cluster-yes'])
  const env = {
    ...base,
    REDIS_CLUSTER: 'true',
    REDIS_URL: `rediss://localhost:${ports[0]}`,
    NODE_EXTRA_CA_CERTS: certificates.ca,
  }
  t.match(await writeWith(env), /^OK/, 'the cluster names its nodes by address')
  for (const { port } of nodes) {
    const client = new Redis(port)
    await client.config('SET', 'cluster-announce-hostname', 'localhost')
    await client.config('SET', 'cluster-preferred-endpoint-type', 'hostname')
    client.disconnect()
  }
  t.match(await writeWith(env), /^OK/, 'the cluster names its nodes by name')
  t.match(
    await writeWith({ ...env, REDIS_URL: `rediss://127.0.0.1:${ports[0]}` }, 1_000),
    /not in the cert|None of|isn't ready|unreachable|Failed to refresh/,
    'an address in REDIS_URL has to stand in the certificate',
  )
})
