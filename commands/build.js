/**
 * Compiles the service into dist/, on any system. `--if-changed`: only when a source is newer than what is there, and never where there
 * are no sources, as in a packed copy. In JavaScript: `npm start` runs it before anything is compiled, and without the dev tools.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
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
/** What is in JavaScript already. */
const WORKER = 'services/database/pglite/worker.js'
/** What of Swagger UI the API reference is shown with. Copied, so that a deployment needs neither the package nor what that needs. */
const SWAGGER_UI = ['swagger-ui.css', 'swagger-ui-bundle.js']
const BUILT = join(ROOT, 'dist')
/** Dated when the build began: what is older than this was compiled, also if it was edited meanwhile. */
const DATED = join(BUILT, MIGRATIONS)

const isBuilt = existsSync(DATED)
const hasSources = existsSync(join(ROOT, 'server.ts'))
if (!process.argv.includes('--if-changed')) await build()
else if (hasSources && (!isBuilt || isNewer([...SOURCES, ...SETTINGS], statSync(DATED).mtimeMs))) await build()

async function build() {
  const startedAt = new Date()
  const folder = join(ROOT, `${process.pid}.dist`)
  try {
    const args = ['-p', 'tsconfig.build.json', '--outDir', folder]
    execFileSync(process.execPath, [compiler(), ...args], { cwd: ROOT, stdio: 'inherit' })
    cpSync(join(ROOT, 'dashboard'), join(folder, 'dashboard'), { recursive: true, filter: isServed })
    cpSync(join(ROOT, WORKER), join(folder, WORKER))
    copySwaggerUi(join(folder, 'routes/docs/swagger-ui'))
    const { foldPackages } = await import('./packages.js')
    await foldPackages([folder], join(folder, 'node_modules'))
    cpSync(join(ROOT, MIGRATIONS), join(folder, MIGRATIONS), { recursive: true })
    utimesSync(join(folder, MIGRATIONS), startedAt, startedAt)
    putInPlace(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * All at once, so that nobody finds a half of it: `npm start` and `npm run migrate` may be called side by side, and both build.
 * @param {string} folder
 */
function putInPlace(folder) {
  const old = join(ROOT, `${process.pid}.old.dist`)
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (existsSync(BUILT)) renameSync(BUILT, old)
      renameSync(folder, BUILT)
      break
    } catch (error) {
      // Somebody else's was put there, or taken away, in between.
      if (attempt === 10) throw error
    } finally {
      rmSync(old, { recursive: true, force: true })
    }
  }
}

/**
 * @param {string} path of the dashboard's folder
 * @returns {boolean} whether a browser gets it; the rest is for the compiler
 */
function isServed(path) {
  return !/\.d\.ts$|tsconfig\.json$/.test(path)
}

/** @param {string} target */
function copySwaggerUi(target) {
  const folder = join(installed('@fastify/swagger-ui'), 'static')
  for (const file of SWAGGER_UI) cpSync(join(folder, file), join(target, file))
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
