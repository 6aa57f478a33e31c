import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TYPESCRIPT } from '../helpers/typescript.js'
import type { Edit } from './mutant.js'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const WORKERS = 2
/** No source. */
const LEFT_OUT = ['node_modules', 'dist', '.git', '.tap', '.data']
/** For one file of tests, which then has failed. */
const LIMIT_MS = 120_000
/** After this part of it a test that hangs says so. */
const SAID = 0.7

export interface Run {
  readonly hasPassed: boolean
  readonly output: string
}

/** A copy of the source, in which something is taken out while tests run. */
export class Workshop {
  readonly #directory = mkdtempSync(join(tmpdir(), 'rh-mutants-'))
  readonly #limitMs: number

  constructor(limitMs: number) {
    this.#limitMs = limitMs
    cpSync(ROOT, this.#directory, { recursive: true, filter: (path) => !LEFT_OUT.includes(basename(path)) })
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
      // A file that is run alone has 30 s otherwise; it ends with its first failure, and says itself that it hangs before it is killed.
      const env = { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: String((this.#limitMs * SAID) / 1_000) }
      const child = spawn(process.execPath, [TYPESCRIPT, file, ...args], { cwd: this.#directory, env })
      const timer = setTimeout(() => child.kill('SIGKILL'), this.#limitMs)
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

/** A failed assertion, not a source that does not load: then no test would have said a word. */
export function hasNoticed({ hasPassed, output }: Run): boolean {
  return !hasPassed && /^\s*not ok /m.test(output) && !/SyntaxError|Transform failed|ERR_MODULE_NOT_FOUND/.test(output)
}

/** Works on all of them, some at a time. */
export async function inTurn<T>(
  items: readonly T[],
  work: (workshop: Workshop, item: T) => Promise<void>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    const workshop = new Workshop(limitMs)
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(workshop, item)
    } finally {
      workshop.remove()
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
}
