import { readFileSync } from 'node:fs'
import type { DeployOptions } from './drill.js'

type Length = Omit<DeployOptions, 'seed' | 'log'>

interface RailwayFile {
  readonly deploy: { readonly overlapSeconds: number; readonly drainingSeconds: number }
}

const file = readFileSync(new URL('../../../railway.json', import.meta.url), 'utf8')
const { overlapSeconds, drainingSeconds } = (JSON.parse(file) as RailwayFile).deploy

/** With the times of the deployment: a deploy and a rollback, about three minutes. */
export const LONG: Length = {
  env: {},
  rate: 500,
  directClients: 60,
  boundMs: 1_000,
  overlapMs: overlapSeconds * 1_000,
  drainingSeconds,
  calmMs: 5_000,
  hasRollback: true,
}

/** One deploy, in seconds, beside other tests: who has to wait for the processor is not overloaded. */
export const SHORT: Length = {
  env: {
    MAX_LOOP_DELAY_MS: '60000',
    DATABASE_QUEUE_MS: '20000',
    DATABASE_SILENCE_MS: '5000',
    REDIS_COMMAND_TIMEOUT_MS: '2000',
  },
  rate: 100,
  directClients: 30,
  boundMs: 3_000,
  overlapMs: 1_000,
  drainingSeconds: 5,
  calmMs: 500,
  hasRollback: false,
}
