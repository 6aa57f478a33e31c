import type { Readable } from 'node:stream'
import type { Clock } from '../cache/index.js'
import type { FiguresOfReplica } from './figures.js'
import { LiveStreams, serverSentEvent } from './live-streams.js'

/** The last report of one replica. */
interface ReplicaReport {
  readonly name: string
  readonly ageMs: number
  readonly isSilent: boolean
  readonly report: Readonly<Record<string, unknown>>
}

interface LiveOptions {
  readonly figures: Pick<FiguresOfReplica, 'samples'>
  readonly replicas: { readonly name: string; all(): Promise<readonly ReplicaReport[]> }
  /** `cache_health` of this replica, in a word a part. */
  readonly health: () => Promise<{ readonly cache_health: object }>
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

/** The sections of a replica's report that are told on; the last one is the dashboard's own. */
const SECTIONS = ['service', 'cache', 'domains', 'figures']

/** Tells whoever watches, every second, how this replica is, and what the others said last. */
export class Live {
  readonly #options: LiveOptions
  readonly #streams: LiveStreams

  constructor(options: LiveOptions) {
    const { clock, onError } = options
    this.#options = options
    this.#streams = new LiveStreams({ clock, onError, event: () => this.#event() })
  }

  get isFull(): boolean {
    return this.#streams.isFull
  }

  watch({ mayClear }: { readonly mayClear: boolean }): Readable {
    const { figures, replicas } = this.#options
    const hello = { replica: replicas.name, may_clear: mayClear, samples: figures.samples }
    return this.#streams.open(serverSentEvent('hello', hello))
  }

  close(): void {
    this.#streams.close()
  }

  async #event(): Promise<string> {
    const { replicas, health, clock } = this.#options
    const [reports, { cache_health }] = await Promise.all([replicas.all(), health()])
    const told = reports.map(({ name, ageMs, isSilent, report }) => {
      const sections = Object.fromEntries(SECTIONS.map((section) => [section, report[section] ?? null]))
      return { name, age_ms: ageMs, is_silent: isSilent, ...sections }
    })
    return serverSentEvent('figures', {
      at_ms: clock.wallMs(),
      here: replicas.name,
      parts: cache_health,
      replicas: told,
    })
  }
}
