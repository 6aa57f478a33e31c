/**
 * `node --import=…/test/typescript.js FILE.ts`: Node with TypeScript, for the tests and the processes that they start. Each module is
 * compiled once, by esbuild, and kept by its content. tsx does the same and more, but takes about a second of processor time for
 * each process that loads the app, and a run of all tests starts several hundred.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const HOOKS = '?hooks'
const VERSION = require('esbuild/package.json').version
const KEPT = join(tmpdir(), `roundhouse-test-${userInfo().uid}-compiled-${VERSION}`)

/** Modules of this repository name each other `./file.js`, as TypeScript has it; what is there is `./file.ts`. */
export function resolve(specifier, context, next) {
  if (specifier.endsWith('.js') && (specifier.startsWith('.') || specifier.startsWith('file:'))) {
    const url = new URL(`${specifier.slice(0, -3)}.ts`, context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  return next(specifier, context)
}

export function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts(\?|$)/.test(url)) return next(url, context)
  return { format: 'module', source: compiled(fileURLToPath(url)), shortCircuit: true }
}

function compiled(path) {
  const source = readFileSync(path)
  const kept = join(KEPT, createHash('sha256').update(path).update('\n').update(source).digest('hex'))
  if (existsSync(kept)) return readFileSync(kept)
  const { code } = require('esbuild').transformSync(source.toString(), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    sourcefile: pathToFileURL(path).href,
  })
  mkdirSync(KEPT, { recursive: true })
  // Another process may write the same at the same time, or read while this one writes.
  const mine = `${kept}.${process.pid}`
  writeFileSync(mine, code)
  renameSync(mine, kept)
  return code
}

if (!import.meta.url.endsWith(HOOKS)) {
  process.setSourceMapsEnabled(true)
  // Node 20 has hooks in a thread of their own only.
  if (typeof module.registerHooks === 'function') module.registerHooks({ resolve, load })
  else module.register(import.meta.url + HOOKS)
}
