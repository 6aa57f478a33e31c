import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Edit, type Guard, GUARDS } from './guards.js'

/**
 * Takes each guard of the protocol out of a copy of the source, one at a time, and demands that a test fails.
 * `--quick` leaves the explored schedules out; `--only <words>` takes the guards whose name has these words.
 */
const { values: options } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } })
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TESTS = 'test/services/cache'
const EXPLORER = `${TESTS}/schedules/run.ts`
const WORKERS = 2
const LIMIT_MS = 120_000

interface Run {
  readonly hasPassed: boolean
  readonly output: string
}

class Workshop {
  readonly #directory = mkdtempSync(join(tmpdir(), 'rh-guards-'))

  constructor() {
    for (const part of ['services', 'test', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, part), join(this.#directory, part), { recursive: true })
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'))
  }

  /** Applies the edits while `work` runs. */
  async without<T>(edits: readonly Edit[], work: () => Promise<T>): Promise<T> {
    const before = new Map<string, string>()
    for (const { file, from, to } of edits) {
      const path = join(this.#directory, file)
      const source = readFileSync(path, 'utf8')
      if (!before.has(path)) before.set(path, source)
      writeFileSync(
        path,
        source.replace(from, () => to),
      )
    }
    try {
      return await work()
    } finally {
      for (const [path, source] of before) writeFileSync(path, source)
    }
  }

  run(file: string, ...args: string[]): Promise<Run> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, ['--import=tsx', file, ...args], { cwd: this.#directory })
      const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
      let output = ''
      const hear = (chunk: Buffer): void => void (output += chunk.toString())
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.once('close', (code) => {
        clearTimeout(timer)
        resolve({ hasPassed: code === 0, output })
      })
    })
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** Fragments that are not in their file exactly once: the list is out of date. */
function lostFragments(guards: readonly Guard[]): string[] {
  return guards.flatMap(({ name, edits, noticedBy }) => [
    ...edits.flatMap(({ file, from }) => {
      const count = readFileSync(join(ROOT, file), 'utf8').split(from).length - 1
      return count === 1 ? [] : [`${name}: found ${count} times in ${file}: ${from}`]
    }),
    ...noticedBy.flatMap((test) => (existsSync(join(ROOT, testFile(test))) ? [] : [`${name}: no test ${test}`])),
  ])
}

function testFile(name: string): string {
  return `${TESTS}/${name}.test.ts`
}

/** A failed assertion, not a source that does not load: then no test would have said a word. */
function hasNoticed({ hasPassed, output }: Run): boolean {
  return !hasPassed && /^\s*not ok /m.test(output) && !/SyntaxError|Transform failed|ERR_MODULE_NOT_FOUND/.test(output)
}

async function noticedBy(workshop: Workshop, guard: Guard): Promise<string | undefined> {
  const files = readdirSync(join(ROOT, TESTS), { recursive: true, encoding: 'utf8' })
  const others = files
    .filter((file) => file.endsWith('.test.ts') && !file.includes('schedules'))
    .map((file) => join(TESTS, file))
  const named = guard.noticedBy.map(testFile)
  for (const file of new Set([...named, ...others])) {
    if (hasNoticed(await workshop.run(file))) return file.slice(TESTS.length + 1, -'.test.ts'.length)
  }
  return undefined
}

async function exploredBy(workshop: Workshop, schedules: number): Promise<string | undefined> {
  const { hasPassed, output } = await workshop.run(EXPLORER, '--schedules', String(schedules), '--seed', '1')
  if (hasPassed || !output.includes('A promise was broken')) return undefined
  return `explored in ${/found after (\d+)/.exec(output)?.[1] ?? '?'} schedules`
}

async function inTurn<T>(items: readonly T[], work: (workshop: Workshop, item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    const workshop = new Workshop()
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(workshop, item)
    } finally {
      workshop.remove()
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
}

const guards = GUARDS.filter(({ name }) => name.includes(options.only ?? ''))
const faults = lostFragments(guards)
if (faults.length === 0) {
  const startedAt = performance.now()
  await inTurn([...new Set(guards.flatMap((guard) => guard.noticedBy))], async (workshop, test) => {
    const { hasPassed, output } = await workshop.run(testFile(test))
    if (!hasPassed) faults.push(`${test} fails with every guard in place:\n${output}`)
  })
  if (faults.length === 0) {
    await inTurn(guards, async (workshop, guard) => {
      const began = performance.now()
      const by: (string | undefined)[] = []
      await workshop.without(guard.edits, async () => {
        by.push(await noticedBy(workshop, guard))
        if (guard.schedules !== undefined && options.quick !== true)
          by.push(await exploredBy(workshop, guard.schedules))
      })
      const ms = `${Math.round(performance.now() - began)} ms`
      console.log(`${guard.name.padEnd(72)} ${ms.padStart(9)}  ${by.map((who) => who ?? 'NOBODY').join(', ')}`)
      if (by.includes(undefined)) faults.push(`nothing notices when this is taken out: ${guard.name}`)
    })
  }
  console.log(`${guards.length} guards in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
}
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
