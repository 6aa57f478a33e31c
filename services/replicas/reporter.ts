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

  /**
   * Never rejects: who can't be heard of now is shown as silent by the others.
   * @returns how many replicas are not silent, this one included, where that is known
   */
  async publish(): Promise<number | undefined> {
    return this.#reports?.publish(this.report()).catch(() => undefined)
  }

  async withdraw(): Promise<void> {
    await this.#reports?.withdraw().catch(() => undefined)
  }

  /** This replica as it is now. As plain JSON, as the others are read. */
  own(): ReplicaReport {
    const report = JSON.parse(JSON.stringify(this.report()))
    return { name: this.name, at: new Date(this.#wallMs()).toISOString(), ageMs: 0, isSilent: false, report }
  }

  /** This replica as it is now, and the others as they said last, by name. Never rejects. */
  async all(): Promise<ReplicaReport[]> {
    return this.#withOwn((await this.#reports?.all()) ?? [])
  }

  /**
   * What all have said last, this one included: the same whichever replica is asked, so that no count goes back when a balancer leads to
   * another one. Where this one is alone, or can't be heard, it is as it is now. Never rejects.
   */
  async told(): Promise<ReplicaReport[]> {
    const said = (await this.#reports?.all(0)) ?? []
    const isTold = said.length > 1 && said.some(({ name, isSilent }) => name === this.name && !isSilent)
    return isTold ? said : this.#withOwn(said)
  }

  #withOwn(said: readonly ReplicaReport[]): ReplicaReport[] {
    const others = said.filter(({ name }) => name !== this.name)
    return [this.own(), ...others].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}
