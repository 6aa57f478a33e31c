import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type CliContext, type ClientEnvironment } from '../../commands/cli/context.js'
import { runCli as run } from '../../commands/cli/program.js'
import { examineConfig } from '../../plugins/config.js'
import { temporaryDirectory } from './servers/servers.js'
import { TYPESCRIPT } from './typescript.js'

const PROGRAM = join(import.meta.dirname, '../../commands/cli.ts')

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly input?: string
}

export interface CliOutcome {
  readonly code: number | null
  readonly output: string
  readonly errors: string
  /** The parsed output. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into documents of every shape
  readonly json: any
}

/** `roundhouse` as a process of its own, in an empty folder and with an environment of the test's alone. */
export function startCli(
  args: readonly string[],
  { env = {}, cwd = temporaryDirectory() }: CliOptions = {},
): ChildProcess {
  return spawn(process.execPath, [TYPESCRIPT, PROGRAM, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
  })
}

export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  const child = startCli(args, options)
  child.stdin?.end(options.input ?? '')
  let [output, errors] = ['', '']
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  child.stderr?.on('data', (chunk) => (errors += String(chunk)))
  const [code]: unknown[] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, output, errors, json: parsed(output) }
}

export interface CallOptions extends Partial<ClientEnvironment> {
  readonly input?: string
  /** What the service would be started with. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** A terminal, and whether it has colours. */
  readonly terminal?: 'plain' | 'coloured'
  readonly signal?: AbortSignal
  /** Told the output so far. */
  readonly onOutput?: (output: string) => void
}

/** The same within this process, which takes a hundredth of the time. */
export async function callCli(args: readonly string[], options: CallOptions = {}): Promise<CliOutcome> {
  const { url, token, input = '', env = {}, terminal, signal = new AbortController().signal, onOutput } = options
  let [output, errors] = ['', '']
  const context: CliContext = {
    stdout: {
      isTTY: terminal !== undefined,
      hasColors: () => terminal === 'coloured',
      write(text: string) {
        output += text
        onOutput?.(output)
        return true
      },
    },
    stderr: { write: (text: string) => ((errors += text), true) },
    stdin: Readable.from([input]),
    environment: async () => ({ url, token }),
    settings: async () => examineConfig(env),
    interruption: () => signal,
    exitCode: 0,
  }
  return { code: await run(args, context), output, errors, json: parsed(output) }
}

/** As a process at a terminal: `script` makes one, and mixes both outputs. */
export async function runCliAtTerminal(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  const command = [process.execPath, TYPESCRIPT, PROGRAM, ...args].map(quoted).join(' ')
  const { env = {}, cwd = temporaryDirectory() } = options
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd,
    env: { PATH: process.env['PATH'], TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  const [code]: unknown[] = await once(child, 'close')
  return {
    code: typeof code === 'number' ? code : null,
    output: output.replaceAll('\r', ''),
    errors: '',
    json: undefined,
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
