import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadRequest } from './load.js'
import { temporaryDirectory } from '../../test/helpers/servers/servers.js'

const run = promisify(execFile)

export interface WrkResult {
  readonly answers: number
  readonly seconds: number
}

/**
 * The load of the throughput turns: wrk, which takes a small part of what a load in JavaScript takes. Server and load
 * each have a core of their own where there are two and `taskset` is at hand.
 */
export class Wrk {
  readonly #directory = temporaryDirectory()
  readonly #scripts = new Map<readonly LoadRequest[], string>()
  readonly #lastCore = availableParallelism() - 1
  readonly #isPinned = this.#lastCore > 0 && isThere('taskset', '--version')

  constructor() {
    if (!isThere('wrk', '--version')) throw new Error('wrk is not installed; run: apt-get install -y wrk')
  }

  /** Keeps a server off the core of the load. */
  async pin(pid: number): Promise<void> {
    const others = this.#lastCore > 1 ? `0-${this.#lastCore - 1}` : '0'
    if (this.#isPinned) await run('taskset', ['-acp', others, String(pid)])
  }

  /** @param requests sent in turn */
  async run(order: {
    port: number
    requests: readonly LoadRequest[]
    connections: number
    ms: number
  }): Promise<WrkResult> {
    const seconds = Math.max(1, Math.round(order.ms / 1_000))
    const wrk = ['wrk', '-t1', `-c${order.connections}`, `-d${seconds}s`, '-s', this.#scriptOf(order.requests)]
    const [program = '', ...words] = this.#isPinned ? ['taskset', '-c', String(this.#lastCore), ...wrk] : wrk
    const { stdout } = await run(program, [...words, `http://127.0.0.1:${order.port}`])
    const { requests, microseconds, failed } = JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Summary
    if (failed > 0) throw new Error(`${failed} of ${requests} requests failed or had no answer below 400`)
    return { answers: requests, seconds: microseconds / 1e6 }
  }

  #scriptOf(requests: readonly LoadRequest[]): string {
    const known = this.#scripts.get(requests)
    if (known !== undefined) return known
    const file = join(this.#directory, `requests${this.#scripts.size}.lua`)
    writeFileSync(file, scriptOf(requests))
    this.#scripts.set(requests, file)
    return file
  }
}

interface Summary {
  readonly requests: number
  readonly microseconds: number
  readonly failed: number
}

/** JSON's escapes are Lua's too, for what stands in a request. */
function scriptOf(requests: readonly LoadRequest[]): string {
  return `local requests = {
${requests.map((request) => JSON.stringify(textOf(request))).join(',\n')}
}
local next = 0
function request()
  next = next % #requests + 1
  return requests[next]
end
function done(summary)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('{"requests":%d,"microseconds":%d,"failed":%d}', summary.requests, summary.duration, failed))
end
`
}

/** As it goes over the wire. */
function textOf({ path, headers }: LoadRequest): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function isThere(program: string, flag: string): boolean {
  return spawnSync(program, [flag]).error === undefined
}
