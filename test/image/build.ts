import { spawn } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, delimiter, dirname, join, posix } from 'node:path'
import type { Stage, Step } from './dockerfile.js'
import { filesBelow, ignoreRules } from './context.js'

/** What Docker would make an image of: files, and how they are started. */
export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly command: readonly string[]
  readonly healthcheck: readonly string[] | undefined
  /** The folder of the image's `node`. */
  readonly bin: string
}

export interface BuildOptions {
  readonly stages: readonly Stage[]
  readonly context: string
  readonly dockerignore: string
  /** An empty folder. */
  readonly scratch: string
  /** The folder with the `node` of a base image. */
  readonly binOf: (image: string) => Promise<string>
  /** After each instruction. */
  readonly onStep?: (step: Step, ms: number) => void
}

/** The users of the official Node images that an image of ours may name. */
const USERS: Readonly<Record<string, number>> = { root: 0, node: 1000 }

/** What npm must know of this machine to reach a registry; the image has none of it. */
const NETWORK =
  /^(npm_config_(registry|cache|cafile|userconfig|globalconfig|.*proxy)|(https?|no)_proxy|NODE_EXTRA_CA_CERTS)$/i

export const isRoot = userInfo().uid === 0

/** Follows the instructions of every stage in folders of `scratch`; rejects at the first that fails, with what it said. */
export async function build({ stages, context, dockerignore, scratch, binOf, onStep }: BuildOptions): Promise<Image> {
  const built: (Image & { readonly name: string | undefined })[] = []
  const isIgnored = ignoreRules(dockerignore)
  const kept = filesBelow(context).filter((path) => !isIgnored(path))
  for (const { name, image: base, steps } of stages) {
    const parent = built.find((stage) => stage.name === base)
    const root = join(scratch, `stage-${built.length}`)
    let image: Image = parent ?? { ...NOTHING, root, bin: await binOf(base) }
    image = { ...image, root }
    if (parent) cpSync(parent.root, root, { recursive: true, verbatimSymlinks: true })
    else mkdirSync(root)
    for (const step of steps) {
      const startedAt = performance.now()
      if (step.kind === 'copy') {
        const from = built.find((stage) => stage.name === step.from)
        if (step.from !== undefined && from === undefined) throw new Error(`${step.text}: there is no such stage`)
        copy(step, image, from ? { folder: from.root } : { folder: context, kept })
      } else if (step.kind === 'run') await run(step.command, image, scratch)
      else image = after(step, image)
      onStep?.(step, performance.now() - startedAt)
    }
    built.push({ ...image, name })
  }
  const last = built.at(-1)
  if (last === undefined) throw new Error('There is no stage')
  return last
}

const NOTHING = { workdir: '/', env: {}, user: 'root', command: [], healthcheck: undefined }

/** The image once an instruction has been followed that changes no file but its own folder. */
function after(step: Step, image: Image): Image {
  switch (step.kind) {
    case 'env':
      return { ...image, env: { ...image.env, ...step.values } }
    case 'workdir': {
      const workdir = posix.resolve(image.workdir, step.path)
      mkdirSync(join(image.root, workdir), { recursive: true })
      return { ...image, workdir }
    }
    case 'user':
      if (!(step.name in USERS)) throw new Error(`${step.text}: the Node images have no such user`)
      return { ...image, user: step.name }
    case 'cmd':
      return { ...image, command: step.command }
    case 'entrypoint':
      throw new Error(`${step.text}: an entry point is not followed here`)
    case 'healthcheck':
      return { ...image, healthcheck: step.command }
    default:
      return image
  }
}

/** Of the context (`kept`: its files that are not ignored), or of another stage. A folder is copied by what is in it. */
function copy(
  step: Extract<Step, { kind: 'copy' }>,
  { root, workdir }: Image,
  { folder, kept }: { folder: string; kept?: readonly string[] },
): void {
  const to = join(root, posix.resolve(workdir, step.to))
  const isFolder = step.to.endsWith('/') || step.sources.length > 1 || existsSync(to)
  for (const source of step.sources) {
    const path = join(folder, posix.resolve('/', source))
    const options = { recursive: true, verbatimSymlinks: true }
    if (statSync(path).isDirectory()) {
      if (kept === undefined) cpSync(path, to, options)
      else {
        const below = posix.resolve('/', source).slice(1)
        const within = kept.filter((name) => below === '' || name.startsWith(`${below}/`))
        for (const name of within) cpSync(join(folder, name), join(to, posix.relative(below, name)), options)
      }
    } else {
      if (kept?.includes(posix.normalize(source)) === false) throw new Error(`${step.text}: .dockerignore keeps it out`)
      cpSync(path, isFolder ? join(to, basename(source)) : to, options)
    }
  }
}

async function run(command: readonly string[], image: Image, scratch: string): Promise<void> {
  const [, , script] = command
  if (command.slice(0, 2).join(' ') !== '/bin/sh -c') throw new Error('RUN in exec form is not followed here')
  if (/(^|[\s=:'"])\/\w/.test(script ?? '')) throw new Error(`RUN ${script}: an absolute path is this machine's here`)
  const network: Record<string, string> = {}
  for (const [name, value = ''] of Object.entries(process.env)) if (NETWORK.test(name)) network[name] = value
  const { code, output } = await runIn(image, scratch, command, network)
  if (code !== 0) throw new Error(`RUN ${script} ended with ${code}:\n${output.slice(-3_000)}`)
}

/** Runs a command of the image to its end, with the image's environment and user, and these variables. */
export async function runIn(
  image: Image,
  scratch: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = startIn(image, scratch, command, env)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  return { code, output }
}

/** Starts a command of the image: `node` is the image's, and nothing of this process's environment gets there. */
export function startIn(
  image: Image,
  scratch: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  const [program, ...args] = command
  if (program === undefined) throw new Error('There is no command')
  const uid = USERS[image.user] ?? 0
  const home = join(scratch, `home-${image.user}`)
  mkdirSync(home, { recursive: true })
  const own = dirname(process.execPath)
  const path = [shims(scratch), image.bin, own, '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
  const variables = { ...image.env, PATH: path, HOME: home, ...env }
  // Nor that of a runner of tests, which gives hooks of its own to every child of this process: by `env`, which begins without any variable.
  const all = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const started = program === 'node' ? join(image.bin, 'node') : program
  return spawn('env', ['--ignore-environment', ...all, started, ...args], {
    cwd: join(image.root, image.workdir),
    env: { PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot && uid !== 0 && { uid, gid: uid }),
  })
}

/** This machine need not have the users of the image: `chown` takes their ids instead, and does nothing where it may not. */
function shims(scratch: string): string {
  const folder = join(scratch, 'bin')
  if (existsSync(folder)) return folder
  mkdirSync(folder)
  const ids = Object.entries(USERS).map(([name, id]) => `-e 's/^${name}\\b/${id}/' -e 's/:${name}$/:${id}/'`)
  const script = `#!/bin/sh
${isRoot ? '' : 'exit 0'}
i=$#
while [ $i -gt 0 ]; do
  word=$(printf %s "$1" | sed ${ids.join(' ')}); shift
  set -- "$@" "$word"
  i=$((i - 1))
done
PATH=/usr/bin:/bin exec chown "$@"
`
  writeFileSync(join(folder, 'chown'), script)
  chmodSync(join(folder, 'chown'), 0o755)
  return folder
}
