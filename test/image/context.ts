import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** Whether .dockerignore keeps a path of the context out of every build, by Docker's rules: the last pattern that matches it, or a folder above it, decides. */
export function ignoreRules(text: string): (path: string) => boolean {
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!')
      const pattern = line.slice(isException ? 1 : 0).replace(/^(\.?\/)+|\/+$/g, '')
      return { isException, matches: expression(pattern) }
    })
  return (path) => {
    const parts = path.split('/')
    const ways = parts.map((_, n) => parts.slice(0, n + 1).join('/'))
    const last = rules.findLast(({ matches }) => ways.some((way) => matches.test(way)))
    return last !== undefined && !last.isException
  }
}

/** As Go's filepath.Match, and `**` for any number of folders. */
function expression(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/?|[*?]|\[[^\]]*\]|[\\^$.|+(){}]/g, (part) => {
    if (part.startsWith('**')) return part.endsWith('/') ? '(?:.*/)?' : '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    return part.startsWith('[') ? part : `\\${part}`
  })
  return new RegExp(`^${source}$`)
}

/** Every file and link below a folder, as paths relative to it with `/`. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}
