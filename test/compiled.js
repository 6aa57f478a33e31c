/** TypeScript to JavaScript, module by module, for typescript.js. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const VERSION = require('esbuild/package.json').version
const KEPT = join(tmpdir(), `roundhouse-test-${userInfo().uid}-compiled-${VERSION}`)

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
    sourcefile: pathToFileURL(path).href,
  })
  mkdirSync(KEPT, { recursive: true })
  // Another process may write the same at the same time, or read while this one writes.
  const mine = `${kept}.${process.pid}`
  writeFileSync(mine, code)
  renameSync(mine, kept)
  return code
}
