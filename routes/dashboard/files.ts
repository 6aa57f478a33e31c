import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** A file as it is served. */
export interface PageFile {
  readonly type: string
  readonly bytes: Buffer
  readonly gzipped: Buffer
  /** A weak one, of the file packed and plain. */
  readonly etag: string
}

/** Beside the routes, in the sources and in dist/. */
const FOLDER = join(import.meta.dirname, '../../dashboard')

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The chart library, by the names that the page asks for. */
const OF_UPLOT: Readonly<Record<string, string>> = { 'uPlot.js': 'uPlot.esm.js', 'uPlot.css': 'uPlot.min.css' }

/** All files of the page by name: no other name leads anywhere. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const uplot = join(createRequire(import.meta.url).resolve('uplot/package.json'), '../dist')
  const own = readdirSync(FOLDER).filter((name) => extname(name) in TYPES)
  return new Map([
    ...own.map((name): [string, PageFile] => [name, pageFile(name, join(FOLDER, name))]),
    ...Object.entries(OF_UPLOT).map(([name, file]): [string, PageFile] => [name, pageFile(name, join(uplot, file))]),
  ])
}

function pageFile(name: string, path: string): PageFile {
  const bytes = readFileSync(path)
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 22)
  return { type: TYPES[extname(name)] ?? '', bytes, gzipped: gzipSync(bytes), etag: `W/"${digest}"` }
}
