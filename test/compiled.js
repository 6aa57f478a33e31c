/** TypeScript to JavaScript, module by module, for typescript.js. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const VERSION = require('esbuild/package.json').version
const KEPT = join(tmpdir(), `roundhouse-test-${userInfo().uid}-modules-${VERSION}`)

const ROOT = join(import.meta.dirname, '..')
/** What commands/packages.js makes of these packages; below the installed ones, which it imports too. */
const FOLDED = join(
  ROOT,
  `node_modules/.cache/packages-${hashOf('node_modules/.package-lock.json', 'commands/packages.js')}`,
)
const PACKAGES = existsSync(FOLDED) ? pathToFileURL(FOLDED) : undefined

/** @param {string[]} paths of files, whose contents one hash is of */
function hashOf(...paths) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(join(ROOT, path)))
  return hash.digest('hex').slice(0, 16)
}

/** Folds the packages that the service uses, unless that has been done: each process that imports them starts in half of its time. */
export async function keepFoldedPackages() {
  if (existsSync(FOLDED)) return
  const { foldPackages } = await import('../commands/packages.js')
  const mine = `${FOLDED}.${process.pid}`
  await foldPackages(
    ['services', 'plugins', 'routes', 'commands'].map((folder) => join(ROOT, folder)),
    mine,
  )
  renameSync(mine, FOLDED)
}

/**
 * @param {string} specifier
 * @returns {URL | undefined} the folded module
 */
export function foldedPackage(specifier) {
  if (PACKAGES === undefined || !/^@?[a-z]/.test(specifier) || specifier.includes(':')) return undefined
  const url = new URL(`${PACKAGES.href}/${specifier}/index.js`)
  return existsSync(url) ? url : undefined
}

/**
 * Kept by its content, so that it is compiled once.
 * @param {string} path of a module
 * @returns {string | Buffer} its JavaScript
 */
export function compiled(path) {
  const source = readFileSync(path)
  const kept = join(KEPT, createHash('sha256').update(path).update('\n').update(source).digest('hex'))
  if (existsSync(kept)) return readFileSync(kept)
  const { code } = require('esbuild').transformSync(source.toString(), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    sourcefile: pathToFileURL(path).href,
  })
  mkdirSync(KEPT, { recursive: true })
  // Another process may write the same at the same time, or read while this one writes.
  const mine = `${kept}.${process.pid}`
  writeFileSync(mine, code)
  renameSync(mine, kept)
  return code
}
