import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Edit, Mutant } from './mutant.js'
import { MUTANTS } from './mutants.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

/**
 * Takes each guard of the protocol out of a copy of the source, one at a time, and demands that the tests named fail.
 * `--only <words>` takes the mutants whose name has these words.
 */
const { values: options } = parseArgs({ options: { only: { type: 'string' } } })
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const EXPLORER = 'test/services/cache/schedules/run.ts'
const WORKERS = 2
const LIMIT_MS = 120_000

interface Run {
  readonly hasPassed: boolean
  readonly output: string
}

class Workshop {
  readonly #directory = mkdtempSync(join(tmpdir(), 'rh-mutants-'))

  constructor() {
    for (const part of [
      'app.ts',
      'commands',
      'dashboard',
      'plugins',
      'routes',
      'services',
      'test',
      'package.json',
      'tsconfig.json',
    ]) {
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
      // A file that is run alone has 30 s otherwise.
      const env = { ...process.env, TAP_TIMEOUT: String(LIMIT_MS / 1_000) }
      const child = spawn(process.execPath, [TYPESCRIPT, file, ...args], { cwd: this.#directory, env })
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
function lostFragments(mutants: readonly Mutant[]): string[] {
  return mutants.flatMap(({ name, edits, noticedBy }) => [
    ...edits.flatMap(({ file, from }) => {
      const count = readFileSync(join(ROOT, file), 'utf8').split(from).length - 1
      return count === 1 ? [] : [`${name}: found ${count} times in ${file}: ${from}`]
    }),
    ...noticedBy.flatMap((test) => (existsSync(join(ROOT, testFile(test))) ? [] : [`${name}: no test ${test}`])),
  ])
}

function testFile(name: string): string {
  return `test/${name}.test.ts`
}

/** A failed assertion, not a source that does not load: then no test would have said a word. */
function hasNoticed({ hasPassed, output }: Run): boolean {
  return !hasPassed && /^\s*not ok /m.test(output) && !/SyntaxError|Transform failed|ERR_MODULE_NOT_FOUND/.test(output)
}

/** Those that should have noticed, and did not. */
async function silent(workshop: Workshop, mutant: Mutant): Promise<string[]> {
  const tests: string[] = []
  for (const test of mutant.noticedBy) if (!hasNoticed(await workshop.run(testFile(test)))) tests.push(test)
  if (mutant.schedules !== undefined && !(await isExplored(workshop, mutant.schedules))) tests.push(EXPLORER)
  return tests
}

async function isExplored(workshop: Workshop, schedules: number): Promise<boolean> {
  const { hasPassed, output } = await workshop.run(EXPLORER, '--schedules', String(schedules), '--seed', '1')
  return !hasPassed && output.includes('A promise was broken')
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

const mutants = MUTANTS.filter(({ name }) => name.includes(options.only ?? ''))
const faults = lostFragments(mutants)
if (faults.length === 0) {
  const startedAt = performance.now()
  await inTurn([...new Set(mutants.flatMap(({ noticedBy }) => noticedBy))], async (workshop, test) => {
    const { hasPassed, output } = await workshop.run(testFile(test))
    if (!hasPassed) faults.push(`${test} fails without a mutation:\n${output}`)
  })
  if (faults.length === 0) {
    await inTurn(mutants, async (workshop, mutant) => {
      const began = performance.now()
      await workshop.without(mutant.edits, async () => {
        const tests = await silent(workshop, mutant)
        const ms = `${Math.round(performance.now() - began)} ms`
        console.log(`${mutant.name.padEnd(90)} ${ms.padStart(9)}  ${tests.length === 0 ? 'noticed' : 'NOT NOTICED'}`)
        if (tests.length > 0) faults.push(`not noticed by ${tests.join(', ')} when this is taken out: ${mutant.name}`)
      })
    })
  }
  console.log(`${mutants.length} mutants in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
}
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
