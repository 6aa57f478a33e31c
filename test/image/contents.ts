import { existsSync, readFileSync, readlinkSync, lstatSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import type { Image } from './build.js'
import { filesBelow } from './context.js'

/** In the context, in the places where secrets are in a working copy. None of it may get into the image. */
export const SECRET = 'a-secret-of-the-working-copy-51d0c6e7'
export const SECRET_PLACES = [
  '.env',
  '.env.production',
  '.npmrc',
  '.git/config',
  '.data/admin-token',
  '.cache/secret',
  'debug.log',
  'dist/left-behind.js',
  'node_modules/left-behind/index.js',
]

/** Folders and files of the repository that only who works on it needs. */
const DEVELOPMENT =
  /^(test|bench|docs|\.github|\.ci|\.git|\.railway|\.oxlint)\/|(^|\/)(tsconfig[^/]*\.json|\.env.*|\.npmrc)$/

/** Modules of a page: the service serves them, and another module besides under a name of its own. */
const BROWSER = /^dist\/(dashboard|routes\/docs)\//

export interface Contents {
  readonly files: number
  readonly bytes: number
  readonly packages: number
  readonly flaws: readonly string[]
}

/** What is in the image below its working directory, and what should not be, or is missing. `lock` is the text of package-lock.json. */
export function inspect({ root, workdir }: Image, lock: string): Contents {
  const folder = join(root, workdir)
  const files = filesBelow(folder)
  const own = files.filter((path) => !/^(dist\/)?node_modules\//.test(path))
  const found = new Set(files.map(packageOf).filter((name) => name !== undefined))
  const { packages } = JSON.parse(lock) as { packages: Record<string, LockedPackage> }
  const locked = Object.entries(packages).filter(([name]) => name !== '')
  const flaws = [
    ...filesBelow(root)
      .filter((path) => holdsSecret(join(root, path)))
      .map((path) => `${path} holds a secret of the working copy`),
    ...own
      .filter((path) => DEVELOPMENT.test(path) || /(?<!\.d)\.ts$/.test(path))
      .map((path) => `${path} is only for development`),
    ...locked.filter(([name, { dev }]) => dev && found.has(name)).map(([name]) => `${name} is a dev dependency`),
    ...locked
      .filter(([name, { dev, devOptional, optional }]) => !dev && !devOptional && !optional && !found.has(name))
      .map(([name]) => `${name} is missing`),
    ...[...found]
      .toSorted()
      .filter((name) => !(name in packages))
      .map((name) => `${name} is not in the lock file`),
    ...own.filter((path) => path.endsWith('.js') && !BROWSER.test(path)).flatMap((path) => unresolved(folder, path)),
  ]
  const bytes = files.reduce((sum, path) => sum + lstatSync(join(folder, path)).size, 0)
  return { files: files.length, bytes, packages: found.size, flaws }
}

interface LockedPackage {
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
}

/** `node_modules/@a/b/node_modules/c` of a file in it; only those with a package.json of their own count. What the build has folded is the same package. */
function packageOf(path: string): string | undefined {
  return /^(?:dist\/)?(.*node_modules\/(?:@[^/]+\/)?[^/@.][^/]*)\/package\.json$/.exec(path)?.[1]
}

function holdsSecret(path: string): boolean {
  const isLink = lstatSync(path).isSymbolicLink()
  return (isLink ? Buffer.from(readlinkSync(path)) : readFileSync(path)).includes(SECRET)
}

/** What a module of ours imports that the image does not have. */
function unresolved(folder: string, path: string): string[] {
  const file = join(folder, path)
  const require = createRequire(file)
  const text = readFileSync(file, 'utf8')
  // As the compiler writes them: one a line, and late ones outside comments.
  const names = text.matchAll(
    /^(?:import|export) (?:[^'"\n]* from )?'([^'\n]+)';$|^(?:(?!\/\/|\*).)*\bimport\('([^'\n]+)'\)/gm,
  )
  return [...names]
    .map(([, fixed, late]) => fixed ?? late ?? '')
    .filter((name) => !isBuiltin(name))
    .filter((name) => (name.startsWith('.') ? !existsSync(join(file, '..', name)) : !resolves(require, name)))
    .map((name) => `${path} imports ${name}, which is not there`)
}

function resolves(require: NodeJS.Require, name: string): boolean {
  try {
    return require.resolve(name) !== ''
  } catch (error) {
    // A package for `import` alone, or one that does not show its package.json.
    return error instanceof Error && 'code' in error && error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
  }
}
