import { randomInt } from 'node:crypto'
import type { Test } from 'tap'

/** The seed of a test that chooses: another one each time, printed, or what SEED says. */
export function preparedSeed(t: Test): number {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  t.comment(`SEED=${seed}`)
  return seed
}
