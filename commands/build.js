/**
 * Compiles the service into dist/, on any system. `--if-changed`: only when a source is newer than what is there, and never where there
 * are no sources, as in a packed copy. In JavaScript: `npm start` runs it before anything is compiled, and without the dev tools.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const SOURCES = [
  'app.ts',
  'server.ts',
  'starting.ts',
  'migrate.ts',
  'plugins',
  'routes',
  'services',
  'commands',
  'dashboard',
]
const SETTINGS = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
const MIGRATIONS = 'services/database/migrations'
/** What of Swagger UI the API reference is shown with. Copied, so that a deployment needs neither the package nor what that needs. */
const SWAGGER_UI = ['swagger-ui.css', 'swagger-ui-bundle.js']
/** Copied last, and dated when the build began: what is older than this was compiled, also if it was edited meanwhile. */
const LAST = join(ROOT, 'dist', MIGRATIONS)

const isBuilt = existsSync(LAST)
const hasSources = existsSync(join(ROOT, 'server.ts'))
if (!process.argv.includes('--if-changed')) await build()
else if (hasSources && (!isBuilt || isNewer([...SOURCES, ...SETTINGS], statSync(LAST).mtimeMs))) await build()

async function build() {
  const startedAt = new Date()
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  execFileSync(process.execPath, [compiler(), '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })
  cpSync(join(ROOT, 'dashboard'), join(ROOT, 'dist/dashboard'), { recursive: true, filter: isServed })
  copySwaggerUi()
  const { foldPackages } = await import('./packages.js')
  await foldPackages([join(ROOT, 'dist')], join(ROOT, 'dist/node_modules'))
  cpSync(join(ROOT, MIGRATIONS), LAST, { recursive: true })
  utimesSync(LAST, startedAt, startedAt)
}

/**
 * @param {string} path of the dashboard's folder
 * @returns {boolean} whether a browser gets it; the rest is for the compiler
 */
function isServed(path) {
  return !/\.d\.ts$|tsconfig\.json$/.test(path)
}

function copySwaggerUi() {
  const folder = join(installed('@fastify/swagger-ui'), 'static')
  for (const file of SWAGGER_UI) cpSync(join(folder, file), join(ROOT, 'dist/routes/docs/swagger-ui', file))
}

/** @returns {string} */
function compiler() {
  return join(installed('typescript'), 'bin/tsc')
}

/**
 * @param {string} name of a package
 * @returns {string} its folder
 */
function installed(name) {
  try {
    return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '..')
  } catch {
    console.error(`${name} is missing: run npm ci with the dev dependencies, or bring a dist/ that is built`)
    process.exit(1)
  }
}

/**
 * Folders count too: their time moves when a file in them goes.
 * @param {readonly string[]} names
 * @param {number} than ms since 1970
 * @returns {boolean}
 */
function isNewer(names, than) {
  return names.some((name) => {
    const path = join(ROOT, name)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return false
    const children = found.isDirectory() ? readdirSync(path).map((child) => join(name, child)) : []
    return found.mtimeMs > than || isNewer(children, than)
  })
}
