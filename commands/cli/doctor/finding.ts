import { DatabaseUnavailableError, sqlState } from '../../../services/database/index.js'
import { lastingRefusal } from '../../../services/database/refusal.js'

/** What one check saw. */
export interface Finding {
  readonly check: string
  readonly result: 'ok' | 'warning' | 'fault'
  readonly found: string
  /** What to do about it. */
  readonly change?: string
}

export type Seen = Omit<Finding, 'check'>

export const ok = (found: string): Seen => ({ result: 'ok', found })
export const warning = (found: string, change: string): Seen => ({ result: 'warning', found, change })
export const fault = (found: string, change: string): Seen => ({ result: 'fault', found, change })

/** Takes the findings as they come. What throws in a check is a fault of that check alone. */
export class Findings {
  readonly all: Finding[] = []
  readonly #tell: (finding: Finding) => void

  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell
  }

  add(check: string, ...seen: readonly Seen[]): void {
    for (const one of seen) {
      const finding = { check, ...one }
      this.all.push(finding)
      this.#tell(finding)
    }
  }

  /** @returns whether nothing was a fault */
  async look(check: string, work: () => Promise<Seen | readonly Seen[]>): Promise<boolean> {
    const seen = await work().then(
      (found) => [found].flat(),
      (error: unknown) => [unexpected(error)],
    )
    this.add(check, ...seen)
    return seen.every(({ result }) => result !== 'fault')
  }

  count(result: Finding['result']): number {
    return this.all.filter((finding) => finding.result === result).length
  }
}

function unexpected(error: unknown): Seen {
  const message = error instanceof Error ? error.message : String(error)
  const refusal = lastingRefusal(error)
  if (refusal !== undefined) return { result: 'fault', found: refusal }
  if (!(error instanceof DatabaseUnavailableError)) return { result: 'fault', found: message }
  const isFull = sqlState(error.cause)?.startsWith('53') === true
  return fault(
    message,
    isFull ? 'raise max_connections, or lower DATABASE_POOL_SIZE' : 'start the server, or correct DATABASE_URL',
  )
}
