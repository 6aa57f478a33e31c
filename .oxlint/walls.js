import { posix, relative, sep } from 'node:path'

/**
 * Who may import whom. The first room that a file lies in decides: it may import its own room, what `may` names, and of
 * packages all but Fastify's, or exactly `packages`. A `*` stands for one part of a path, `**` for any number.
 */
const DOORS = [
  'services/cache/index',
  'services/database/{index,database,errors}',
  'services/documents/**',
  'services/{errors,rate-bound,status-texts,uuid-text}',
]
const ROOMS = [
  [
    'server.ts',
    { may: ['app', 'plugins/config', 'starting'], packages: ['**'] },
    'server.ts starts the app, and knows its configuration.',
  ],
  ['starting.ts', { packages: [] }, 'Whatever starting.ts imports comes before signals are heard.'],
  [
    'app.ts',
    { may: ['plugins/**', 'routes/**'], packages: ['**'] },
    'app.ts composes plugins and routes; services are wired in plugins/.',
  ],
  ['plugins/**', { may: ['services/**'], packages: ['**'] }, 'Plugins know services; app.ts puts routes beside them.'],
  [
    'routes/**',
    { may: ['services/errors', 'services/*/schema'], packages: ['**'] },
    'A route knows schemas and errors of services; behaviour reaches it through decorators.',
  ],
  [
    'services/cache/**',
    { packages: ['node:crypto', 'node:perf_hooks'], types: ['ioredis'] },
    'The engine stands alone: client, clock and journal are handed in.',
  ],
  [
    'services/database/**',
    { may: ['services/cache/index', 'services/errors'] },
    'The seam knows the door of the cache, and no domain.',
  ],
  [
    'services/documents/**',
    { may: ['services/cache/index', 'services/errors', 'services/uuid-text'] },
    'Documents know the door of the cache, errors, and no domain.',
  ],
  ['services/config/**', {}, 'The checks of settings know nothing else.'],
  [
    'services/metrics/**',
    { may: [...DOORS, 'services/cache-report', 'services/replicas/reports'], packages: ['node:perf_hooks'] },
    'Metrics are read from reports of replicas, and know no domain.',
  ],
  ['services/resource/**', { may: DOORS }, 'What all resources share knows none of them.'],
  [
    'services/{domains,cache-map}.ts',
    { may: [...DOORS, 'services/domains', 'services/resource/checked', 'services/*/{definition,service,addresses}'] },
    'The lists of what there is know domains by their definitions and services.',
  ],
  [
    'services/*.ts',
    { may: [...DOORS, 'services/*'] },
    'What all domains share knows cache and database by their doors, and no domain.',
  ],
  [
    'services/*/**',
    { may: [...DOORS, 'services/resource/**'] },
    'A domain knows the doors of cache and database, errors and what resources share; never another domain.',
  ],
  ['**', { may: ['**'], packages: ['**'] }, ''],
]

const FASTIFY = /^(fastify|fastify-plugin|@fastify\/(?!error$).*)$/

/** A pattern of this file as a regular expression; the characters `{a,b}` list alternatives. */
function pattern(text) {
  const parts = { '**': '.*', '*': '[^/]*', '{': '(', '}': ')', ',': '|', '.': '\\.' }
  return new RegExp(`^${text.replace(/\*\*|[*{},.]/g, (part) => parts[part])}$`)
}

const rooms = ROOMS.map(([room, { may = [], packages, types = [] }, why]) => {
  const own = room.endsWith('/**') && !room.startsWith('services/*') ? [room] : []
  return {
    room: pattern(room),
    isOwnFolder: room === 'services/*/**',
    may: [...own, ...may].map(pattern),
    packages: packages?.map(pattern),
    types: types.map(pattern),
    why,
  }
})

/** What is wrong with an import of `specifier` in `file`, a path from the root; `undefined` when nothing is. */
function fault(file, specifier, isType) {
  const { isOwnFolder, may, packages, types, why } = rooms.find(({ room }) => room.test(file))
  const fits = (patterns, text) => patterns.some((one) => one.test(text))
  if (/^(node:)?process$/.test(specifier)) return 'process.env is read in plugins/config.ts only.'
  if (!specifier.startsWith('.')) {
    if (isType && fits(types, specifier)) return undefined
    return (packages === undefined ? !FASTIFY.test(specifier) : fits(packages, specifier)) ? undefined : why
  }
  const target = posix.join(posix.dirname(file), specifier).replace(/\.[jt]s$/, '')
  if (target === 'server') return 'Nothing imports server.ts: it listens and exits. Take app.ts.'
  const isOwn = isOwnFolder && target.startsWith(`${file.split('/', 2).join('/')}/`)
  return isOwn || fits(may, target) ? undefined : why
}

const imports = {
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/')
    const check = (node) => {
      if (node.source?.type !== 'Literal') return
      const isType = node.importKind === 'type' || node.exportKind === 'type'
      const message = fault(file, String(node.source.value), isType)
      if (message !== undefined) context.report({ node: node.source, message })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    }
  },
}

/** `new Date()` and `Date()` read the clock; `new Date(value)` only converts. Oxlint has no rule that tells them apart. */
const noClock = {
  create(context) {
    const message = 'The clock is read in services/cache/clock.ts only: take it as an argument.'
    function check(node) {
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'Date') return
      if (node.type === 'NewExpression' && node.arguments.length > 0) return
      context.report({ node, message })
    }
    return { NewExpression: check, CallExpression: check }
  },
}

export default { meta: { name: 'walls' }, rules: { imports, 'no-clock': noClock } }
