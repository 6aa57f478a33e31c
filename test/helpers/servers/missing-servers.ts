import { spawnSync } from 'node:child_process'
import { pgbouncerCommand } from './pgbouncer.js'
import { binaryDirectory } from './postgres.js'

/** A server that tests start. */
export interface TestServer {
  /** Debian's name of what brings it. */
  readonly package: string
  /** Whatever imports this module starts it. */
  readonly helper: string
}

/** Those that this machine does not have. */
export function missingServers(): TestServer[] {
  return [
    ...(spawnSync('redis-server', ['--version']).error ? [{ package: 'redis-server', helper: 'redis.ts' }] : []),
    ...(finds(binaryDirectory) ? [] : [{ package: 'postgresql', helper: 'postgres.ts' }]),
    ...(finds(pgbouncerCommand) ? [] : [{ package: 'pgbouncer', helper: 'pgbouncer.ts' }]),
  ]
}

function finds(program: () => string): boolean {
  try {
    program()
    return true
  } catch {
    return false
  }
}
