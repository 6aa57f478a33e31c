import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'

const root = join(import.meta.dirname, '..')
const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')

/** Runs lint without the hooks that tap puts into each Node process under a test: oxlint's own loader trips over them. */
function lint(folder: string, ...args: string[]): string[] {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, oxlint, ...args]
  return spawnSync('/usr/bin/env', command, { cwd: folder, encoding: 'utf8' }).stdout.split('\n')
}

type Sources = Readonly<Record<string, string>>

/** Lints `sources` in an empty house under the rules of the repository; answers the broken rules of each file, sorted. */
function brokenRules(test: Test, sources: Sources): Record<string, string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'roundhouse-lint-'))
  test.teardown(() => rmSync(folder, { recursive: true }))
  for (const name of ['.oxlintrc.json', '.oxlint', 'tsconfig.json', 'package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const [file, source] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), `${source}\n`)
  }
  const findings = lint(folder, '--format=unix')
  return mapValues(sources, (_, file) => {
    const found = findings.filter((line) => line.startsWith(`${file}:`))
    // Two patterns may stop one import; that is one broken rule at one place.
    const rules = found.map((line) => line.replace(/^(.*?:\d+:\d+): .*\[\w+\/([^\]]+)\]$/, '$1 $2'))
    return [...new Set(rules)].map((place) => place.split(' ')[1] ?? place).toSorted()
  })
}

function mapValues<Value, Result>(record: Readonly<Record<string, Value>>, map: (value: Value, key: string) => Result) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}

/** A module that re-exports from each of `specifiers`: lint must judge it without resolving them. */
function importing(specifiers: readonly string[]): string {
  return specifiers.map((specifier, index) => `export * as name${index} from '${specifier}'`).join('\n')
}

const IMPORTS = 'walls(imports)'

const closed: Readonly<Record<string, readonly string[]>> = {
  'server.ts': ['./services/errors.js', './routes/api/users/index.js', './services/database/index.js'],
  'app.ts': ['./server.js', './services/designs/service.js'],
  'plugins/cache.ts': ['../routes/api/cache/index.js', '../app.js', '../server.js'],
  'routes/api/users/index.ts': [
    '../../../plugins/config.js',
    '../../../services/designs/service.js',
    '../../../services/designs/definition.js',
    '../../../services/cache/index.js',
    '../../../services/cache-map.js',
    '../../../app.js',
  ],
  'services/designs/service.ts': [
    '../templates/repository.js',
    '../mockups/service.js',
    '../version-token.js',
    '../cache/tiered-cache.js',
    '../database/postgres/postgres.js',
    '../../plugins/config.js',
    '../../routes/api/users/index.js',
    'fastify',
    'fastify-plugin',
    '@fastify/redis',
    'node:process',
  ],
  'services/resource/sql/rows.ts': [
    '../../designs/definition.js',
    '../../cache/tiered-cache.js',
    '../../cache-map.js',
    'fastify',
  ],
  'services/domains.ts': ['./cache/tiered-cache.js', './designs/schema.js', '../plugins/cache.js'],
  'services/cache-map.ts': ['./templates/repository.js', './cache/tiered-cache.js', 'fastify'],
  'services/version-token.ts': ['./users/token-text.js', './cache/core/snapshot.js', './database/postgres/postgres.js'],
  'services/documents/codec.ts': [
    '../cache-map.js',
    '../cache/redis/entry-codec.js',
    '../resource/sql/row.js',
    'fastify',
  ],
  'services/database/postgres/postgres.ts': ['../../designs/repository.js', '../../cache/tiered-cache.js', 'fastify'],
  'services/cache/tiered-cache.ts': [
    'pg',
    'fastify',
    '@fastify/error',
    'node:fs',
    'node:zlib',
    '../cache-map.js',
    '../documents/document.js',
    '../database/index.js',
    '../designs/schema.js',
    '../../plugins/cache.js',
  ],
  'migrate.ts': ['./server.js'],
}

const open: Readonly<Record<string, readonly string[]>> = {
  'server.ts': ['./app.js', './plugins/config.js', 'close-with-grace'],
  'app.ts': ['./plugins/cache.js', './routes/api/users/index.js', 'fastify'],
  'plugins/cache.ts': ['../services/cache/index.js', './config.js', 'fastify', 'ioredis'],
  'routes/api/users/index.ts': [
    './schemas.js',
    '../answers.js',
    '../../../services/resource/schema.js',
    '../../../services/designs/schema.js',
    '../../../services/errors.js',
    'fastify',
  ],
  'services/designs/service.ts': [
    './definition.js',
    '../cache/index.js',
    '../database/index.js',
    '../errors.js',
    '../resource/service.js',
    '../documents/document.js',
    'node:crypto',
  ],
  'services/cache-map.ts': ['./cache/index.js', './domains.js', './users/addresses.js', './resource/addresses.js'],
  'services/domains.ts': ['./designs/service.js', './resource/definition.js'],
  'services/version-token.ts': ['./cache/index.js', './errors.js', 'node:crypto'],
  'services/resource/sql/rows.ts': ['../../documents/document.js', '../../errors.js', '../../database/database.js'],
  'services/documents/codec.ts': ['./document.js', '../cache/index.js', 'node:zlib'],
  'services/database/journal.ts': ['../cache/index.js', '../errors.js', 'pg', '@fastify/error'],
  'services/cache/tiered-cache.ts': ['./memory.js', 'node:crypto', 'node:perf_hooks'],
}

/** In these houses of imports alone, modules run in circles; that rule is not asked. */
function wallsIn(rules: readonly string[] = ['not linted']): string[] {
  return rules.filter((rule) => rule !== 'import(no-cycle)')
}

t.test('each wall stops each import that it should', async (t) => {
  const broken = brokenRules(t, mapValues(closed, importing))
  for (const [file, specifiers] of Object.entries(closed)) {
    const each = specifiers.map(() => IMPORTS)
    t.same(wallsIn(broken[file]), each, `${file} may not import ${specifiers.join(', ')}`)
  }
})

t.test('what the walls leave open passes', async (t) => {
  const broken = brokenRules(t, mapValues(open, importing))
  for (const [file, specifiers] of Object.entries(open)) {
    t.same(wallsIn(broken[file]), [], `${file} may import ${specifiers.join(', ')}`)
  }
})

t.test('a wall stops types and dynamic imports too, and the engine may use types of ioredis, no more', async (t) => {
  const broken = brokenRules(t, {
    'services/designs/service.ts': `import type { FastifyInstance } from 'fastify'\nexport type T = FastifyInstance`,
    'services/mockups/service.ts': `export const load = (): Promise<unknown> => import('../templates/repository.js')`,
    'services/cache/redis/redis.ts': `import type { Redis } from 'ioredis'\nexport type T = Redis`,
    'services/cache/replica.ts': `import { Redis } from 'ioredis'\nexport const client = new Redis()`,
  })
  t.same(broken, {
    'services/designs/service.ts': [IMPORTS],
    'services/mockups/service.ts': [IMPORTS],
    'services/cache/redis/redis.ts': [],
    'services/cache/replica.ts': [IMPORTS],
  })
})

t.test('the environment is read in plugins/config.ts only', async (t) => {
  const files = ['app.ts', 'server.ts', 'plugins/redis.ts', 'routes/api/users/index.ts', 'services/designs/service.ts']
  const source = 'export const home = process.env.HOME'
  const broken = brokenRules(t, Object.fromEntries([...files, 'plugins/config.ts'].map((file) => [file, source])))
  for (const file of files) t.same(broken[file], ['node(no-process-env)'], file)
  t.same(broken['plugins/config.ts'], [])
})

t.test('services read the clock in services/cache/clock.ts only, and may convert times', async (t) => {
  const reads = ['Date.now()', 'new Date()', 'Date()', 'performance.now()']
  const source = reads.map((read, index) => `export const time${index} = ${read}`).join('\n')
  const broken = brokenRules(t, {
    'services/designs/service.ts': source,
    'services/cache/tiered-cache.ts': source,
    'services/database/postgres/postgres.ts': source,
    'services/cache/clock.ts': source,
    'services/designs/repository.ts': 'export const day = (ms: number) => new Date(ms).toISOString()',
  })
  const rules = ['eslint(no-restricted-properties)', 'walls(no-clock)'].flatMap((rule) => [rule, rule])
  t.same(broken, {
    'services/designs/service.ts': rules,
    'services/cache/tiered-cache.ts': rules,
    'services/database/postgres/postgres.ts': rules,
    'services/cache/clock.ts': [],
    'services/designs/repository.ts': [],
  })
})

t.test('a promise left alone, any, an unchecked assertion and a long file are refused', async (t) => {
  const broken = brokenRules(t, {
    'plugins/one.ts': 'export const start = (): void => {\n  Promise.resolve(1)\n}',
    'plugins/two.ts': 'export type T = any',
    'plugins/three.ts': 'export const text = (value: unknown) => value as string',
    'plugins/four.ts': `export const lines = [${'1,\n'.repeat(301)}]`,
  })
  t.same(broken, {
    'plugins/one.ts': ['typescript(no-floating-promises)'],
    'plugins/two.ts': ['typescript(no-explicit-any)'],
    'plugins/three.ts': ['typescript(no-unsafe-type-assertion)'],
    'plugins/four.ts': ['eslint(max-lines)'],
  })
})

t.test('lint sees every folder of the house', async (t) => {
  const listed = lint(root, '--debug=files')
  for (const start of [
    'server.ts',
    'app.ts',
    'plugins/',
    'routes/api/',
    'services/designs/',
    'services/cache/',
    'test/',
  ]) {
    t.ok(
      listed.some((line) => line.startsWith(start)),
      start,
    )
  }
})
