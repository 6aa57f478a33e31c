/**
 * `node --import=…/test/typescript.js FILE.ts`: Node with TypeScript, for the tests and the processes that they start. Each module is
 * compiled once, by esbuild, and kept by its content. tsx does the same and more, but takes about a second of processor time for
 * each process that loads the app, and a run of all tests starts several hundred.
 */
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'
import { compiled, foldedPackage } from './compiled.js'

const HOOKS = '?hooks'

/** Modules of this repository name each other `./file.js`, as TypeScript has it; what is there is `./file.ts`. They get folded packages. */
export function resolve(specifier, context, next) {
  if (specifier.endsWith('.js') && (specifier.startsWith('.') || specifier.startsWith('file:'))) {
    const url = new URL(`${specifier.slice(0, -3)}.ts`, context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  const folded = isOfPackage(context.parentURL) ? undefined : foldedPackage(specifier)
  if (folded !== undefined) return { url: folded.href, format: 'module', shortCircuit: true }
  return next(specifier, context)
}

function isOfPackage(url) {
  return url === undefined || !url.startsWith('file:') || url.includes('/node_modules/')
}

export function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts(\?|$)/.test(url)) return next(url, context)
  return { format: 'module', source: compiled(fileURLToPath(url)), shortCircuit: true }
}

if (!import.meta.url.endsWith(HOOKS)) {
  process.setSourceMapsEnabled(true)
  // The embedded database is started hundreds of times, each time for little: V8's second compiler takes as long for it as all the rest.
  v8.setFlagsFromString('--liftoff-only')
  // Before there are hooks, which every import of a module is sent to and fro: it has hundreds.
  if (process.argv[1]?.endsWith('.test.ts')) await import('tap')
  // Node 20 has hooks in a thread of their own only.
  if (typeof module.registerHooks === 'function') module.registerHooks({ resolve, load })
  else module.register(import.meta.url + HOOKS)
}
