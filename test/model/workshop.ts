import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Found, Limits } from './hunt.js'
import type { Edit, Mutant } from './mutants.js'
import { TYPESCRIPT } from '../helpers/typescript.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CACHE = 'services/cache'
const PARTS = [
  ...['core', 'journal/journal.ts'].map((part) => `${CACHE}/${part}`),
  'test/model',
  'test/helpers/seeded.ts',
  'test/helpers/typescript.ts',
  'test/typescript.js',
  'test/compiled.js',
  'package.json',
  'tsconfig.json',
]

/** Why an edit does not fit the source any more; `undefined` when it does. */
export function outOfDate({ name, edit }: Mutant): string | undefined {
  if (edit === undefined) return undefined
  const count = readFileSync(join(ROOT, CACHE, 'core', edit.file), 'utf8').split(edit.from).length - 1
  return count === 1 ? undefined : `out of date: ${name}: found ${count} times in ${edit.file}: ${edit.from}`
}

/** Hunts a mutant in a child process: on a copy of the core and the model where its rule lives in the core. */
export async function huntMutant({ edit, fault }: Mutant, limits: Limits): Promise<Found | undefined> {
  const directory = edit === undefined ? ROOT : copyWith(edit)
  try {
    const numbers = ['walks', 'depth', 'seed'].flatMap((name) => [`--${name}`, String(limits[name as keyof Limits])])
    const text = await outputOf(directory, ['--hunt', ...(fault === undefined ? [] : ['--fault', fault]), ...numbers])
    return (JSON.parse(text) as { found: Found | null }).found ?? undefined
  } finally {
    if (edit !== undefined) rmSync(directory, { recursive: true, force: true })
  }
}

function copyWith({ file, from, to }: Edit): string {
  const directory = mkdtempSync(join(tmpdir(), 'roundhouse-model-'))
  mkdirSync(join(directory, CACHE), { recursive: true })
  for (const part of PARTS) cpSync(join(ROOT, part), join(directory, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  const path = join(directory, CACHE, 'core', file)
  const source = readFileSync(path, 'utf8')
  if (source.split(from).length !== 2) throw new Error(`out of date: not exactly once in ${file}: ${from}`)
  writeFileSync(
    path,
    source.replace(from, () => to),
  )
  return directory
}

/** Of `run.ts` in the copy. */
function outputOf(cwd: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [TYPESCRIPT, 'test/model/run.ts', ...args], { cwd })
    const [output, errors] = [[] as string[], [] as string[]]
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output.join(''))
      else reject(new Error(`The hunt in ${cwd} ended with ${code ?? signal}: ${errors.join('')}`))
    })
  })
}

/** Works on all items, a few at a time. */
export async function sideBySide<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}
