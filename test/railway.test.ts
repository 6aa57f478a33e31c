import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { variables } from '../services/config/environment.js'

const ROOT = join(import.meta.dirname, '..')
const legacy = JSON.parse(readFileSync(join(ROOT, 'railway.json'), 'utf8'))
/** Railway's package wants Node 22, so it has a place of its own, which `npm run test:setup` fills. */
const skip = !existsSync(join(ROOT, '.railway/node_modules')) && 'npm run test:setup puts its package there'

/** The description of the service `api`. */
// oxlint-disable-next-line typescript/no-explicit-any -- its types are in the package that may not be there
async function serviceIn(environment: string): Promise<any> {
  const { resourcesIn } = await import(join(ROOT, '.railway/resources.ts'))
  const resources: { readonly address: string }[] = await resourcesIn(environment)
  return resources.find(({ address }) => address === 'service.api')
}

t.test('railway.json and .railway/railway.ts say the same', { skip }, async (t) => {
  const { build, deploy } = await serviceIn('production')
  t.same(legacy.build, build)
  // ON_FAILURE is what Railway takes when the type is left out, as railway.ts must.
  const { restartPolicyType, ...rest } = legacy.deploy
  t.equal(restartPolicyType, 'ON_FAILURE')
  t.same(rest, deploy)
})

t.test('railway.json has keys and types that Railway accepts', async (t) => {
  t.same(Object.keys(legacy), ['$schema', 'build', 'deploy'])
  const numbers = ['healthcheckTimeout', 'numReplicas', 'restartPolicyMaxRetries', 'overlapSeconds', 'drainingSeconds']
  for (const key of numbers) t.type(legacy.deploy[key], 'number', key)
  t.equal(legacy.deploy.preDeployCommand.length, 1, 'two commands would reject the whole file')
  t.notOk('startCommand' in legacy.deploy, 'a start command is not expanded by a shell')
})

t.test('the health check, the drain and the variables fit the service', { skip }, async (t) => {
  const { deploy, variables: env } = await serviceIn('production')
  t.equal(deploy?.healthcheckPath, '/api/cache/health')
  t.match(env?.RAILWAY_DEPLOYMENT_DRAINING_SECONDS, { value: String(deploy?.drainingSeconds) })
  t.match(env?.DATABASE_URL, { resource: 'database.Postgres', output: 'DATABASE_URL' })
  t.match(env?.REDIS_URL, { resource: 'database.Redis', output: 'REDIS_URL' })
  const unknown = Object.keys(env ?? {}).filter((name) => name !== 'NODE_OPTIONS' && !variables.includes(name))
  t.same(unknown, [], 'no variable that the service does not read')
})

t.test('other environments run one replica', { skip }, async (t) => {
  t.equal((await serviceIn('staging')).deploy?.numReplicas, 1)
})

t.test('the types of .railway/railway.ts hold', { skip }, async (t) => {
  // The compiler does not run under the hooks that tap's command gives every child by NODE_OPTIONS.
  const compiler = [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(ROOT, '.railway')]
  const { status, stdout, stderr } = spawnSync('env', ['--unset=NODE_OPTIONS', ...compiler], { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})
