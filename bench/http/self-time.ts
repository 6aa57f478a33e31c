import { readFileSync } from 'node:fs'

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

type Frame = CpuProfile['nodes'][number]['callFrame']

/** Microseconds spent in each function itself, most first; idle time left out. */
export function selfTimes(file: string): [string, number][] {
  return timesBy(file, nameOf)
}

/** The same by package, and by file where the file is ours. */
export function timesByOwner(file: string): [string, number][] {
  return timesBy(file, ownerOf)
}

function timesBy(file: string, nameOf: (frame: Frame) => string): [string, number][] {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  profile.samples.forEach((id, at) => {
    const name = names.get(id) ?? '?'
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[at] ?? 0))
  })
  return [...times].sort(([, a], [, b]) => b - a)
}

/** The function and where it is written, without what the machine adds to the path. */
function nameOf({ functionName, url, lineNumber }: Frame): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  const path = url.replace(/^file:\/\//, '').replace(/^.*\/(?:node_modules|bench\/dist)\//, '')
  return path === '' ? name : `${name} ${path}:${lineNumber + 1}`
}

function ownerOf({ functionName, url }: Frame): string {
  const [, packageName] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url) ?? []
  if (packageName !== undefined) return packageName
  if (url.startsWith('node:'))
    return /http|_stream|net|stream/.test(url) ? 'node: http, net, streams' : 'node: the rest'
  const path = url.replace(/^.*\/bench\/dist\//, '')
  if (path !== '') return path
  return functionName.startsWith('(')
    ? functionName
    : functionName.startsWith('write')
      ? 'native: write'
      : 'native: the rest'
}
