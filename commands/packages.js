import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Packages that stay where they are installed: one starts a worker and one reads WebAssembly from its own folder, and of the third there must
 * be only one in a process.
 */
const LEFT = ['pino', '@electric-sql/pglite', '@opentelemetry/api']
/** Packages written for CommonJS find these without an import. */
const COMMON_JS = `import { createRequire as requireOf } from 'node:module';
import { fileURLToPath as pathOf } from 'node:url';
const require = requireOf(import.meta.url), __filename = pathOf(import.meta.url), __dirname = pathOf(new URL('.', import.meta.url));
`

/**
 * Writes what the modules in `folders` import of packages into `target`, as some files instead of six hundred: most of a start is finding,
 * reading and compiling modules. In a node_modules beside the modules Node finds it first, and takes the installed packages where it is missing.
 *
 * @param {readonly string[]} folders
 * @param {string} target
 */
export async function foldPackages(folders, target) {
  const specifiers = importedIn(folders).filter((specifier) => !LEFT.includes(packageOf(specifier)))
  const { outputFiles } = await createRequire(import.meta.url)('esbuild').build({
    entryPoints: specifiers.map((specifier) => ({ in: `fold:${specifier}`, out: `${specifier}/index` })),
    outdir: target,
    chunkNames: '.shared/[hash]',
    bundle: true,
    splitting: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: [...LEFT, 'pg-native'],
    legalComments: 'external',
    logLevel: 'error',
    plugins: [{ name: 'fold', setup: fold }],
  })
  for (const { path, text } of outputFiles) write(path, path.endsWith('.js') ? COMMON_JS + text : text)
  for (const name of new Set(specifiers.map(packageOf))) {
    const parts = specifiers
      .filter((specifier) => packageOf(specifier) === name)
      .map((one) => `.${one.slice(name.length)}`)
    const exports = Object.fromEntries(parts.map((part) => [part, `${part}/index.js`]))
    write(join(target, name, 'package.json'), JSON.stringify({ name, type: 'module', exports }))
  }
}

/**
 * An entry exports by name what Node finds in the package, also where that is CommonJS.
 * @param {import('esbuild').PluginBuild} build
 */
function fold({ onResolve, onLoad }) {
  onResolve({ filter: /^fold:/ }, ({ path }) => ({ path: path.slice('fold:'.length), namespace: 'fold' }))
  onLoad({ filter: /.*/, namespace: 'fold' }, async ({ path }) => {
    const names = Object.keys(await import(path)).filter((name) => /^[$\w]+$/.test(name) && name !== 'default')
    const exported = names.map((name, n) => `const e${n} = all[${JSON.stringify(name)}]; export { e${n} as ${name} };`)
    const contents = [`import * as all from ${JSON.stringify(path)}`, 'export default all.default', ...exported]
    return { contents: contents.join('\n'), resolveDir: import.meta.dirname }
  })
}

/**
 * @param {readonly string[]} folders
 * @returns {string[]} what modules in them import of the packages that package.json names
 */
function importedIn(folders) {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  const specifiers = files
    .filter((file) => /\.[jt]s$/.test(file))
    .flatMap((file) => {
      const matches = readFileSync(file, 'utf8').matchAll(/\b(?:from|import|import\()\s?['"]([\w@/.-]+)['"]/g)
      return [...matches].map(([, specifier = '']) => specifier)
    })
  return [...new Set(specifiers)].filter((specifier) => packageOf(specifier) in dependencies)
}

/**
 * @param {string} specifier
 * @returns {string} the name of its package
 */
function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
