import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The modules of this repository that a module needs, itself among them, by their paths; those of `found` are not looked into. */
export function modulesOf(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path) || !existsSync(path)) return found
  found.add(path)
  for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(/(?:from|import)\(? ?'(\.[^']+)\.js'/g)) {
    modulesOf(join(path, '..', `${name}.ts`), found)
  }
  return found
}
