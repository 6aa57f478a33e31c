import type { Report, ReplicaReport, ReplicaReports } from './reports.js'

/** What a section says now: plain JSON. */
export type Section = () => unknown

/** What this replica says of itself, section by section, and what all of them say. */
export class Reporter {
  readonly name: string
  readonly #reports: ReplicaReports | undefined
  readonly #wallMs: () => number
  readonly #sections = new Map<string, Section>()

  /** @param options.reports `undefined` where there can be no other replica: the embedded database has one process */
  constructor(options: {
    readonly name: string
    readonly reports: ReplicaReports | undefined
    readonly wallMs: () => number
  }) {
    this.name = options.name
    this.#reports = options.reports
    this.#wallMs = options.wallMs
  }

  /** Adds a section to the report. Each is made when the report is; keep it small, it is written every few seconds. */
  add(name: string, section: Section): void {
    this.#sections.set(name, section)
  }

  /** What this replica says now. */
  report(): Report {
    return Object.fromEntries([...this.#sections].map(([name, section]) => [name, section()]))
  }

  /** Never rejects: who can't be heard of now is shown as silent by the others. */
  async publish(): Promise<void> {
    await this.#reports?.publish(this.report()).catch(() => undefined)
  }

  async withdraw(): Promise<void> {
    await this.#reports?.withdraw().catch(() => undefined)
  }

  /** This replica as it is now, and the others as they said last, by name. Never rejects. */
  async all(): Promise<ReplicaReport[]> {
    const others = (await this.#reports?.all()) ?? []
    const at = new Date(this.#wallMs()).toISOString()
    const own = { name: this.name, at, ageMs: 0, isSilent: false, report: this.report() }
    return [own, ...others.filter(({ name }) => name !== this.name)].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}
