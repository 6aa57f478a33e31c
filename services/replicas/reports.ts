import type { Clock } from '../cache/index.js'
import type { Queryable } from '../database/database.js'

/** What a replica says of itself: sections by name, each plain JSON. A replica of another release may have others. */
export type Report = Readonly<Record<string, unknown>>

/** The last report of one replica. */
export interface ReplicaReport {
  readonly name: string
  /** When it was made, by the database's clock; ISO 8601. */
  readonly at: string
  readonly ageMs: number
  /** None has come for {@link SILENT_AFTER_MS}: the replica is gone, frozen, or cut off from the database. */
  readonly isSilent: boolean
  readonly report: Report
}

interface Row {
  readonly name: string
  readonly at: Date
  readonly age_ms: number
  readonly report: Report
}

export const PUBLISH_EVERY_MS = 5_000
/** Three reports that did not come. */
export const SILENT_AFTER_MS = 3 * PUBLISH_EVERY_MS
/** Who has been silent for so long is forgotten. */
const FORGOTTEN_AFTER = `interval '10 minutes'`
/** Any number of callers costs one reading a second. */
const SHARED_MS = 1_000

/** The table `replica_reports`: one row a replica, in its own words. Ages are the database's, so no clock of a replica counts. */
export class ReplicaReports {
  readonly #database: Queryable
  readonly #clock: Clock
  readonly #name: string
  #known: { readonly at: number; readonly rows: readonly Row[] } = { at: Number.NEGATIVE_INFINITY, rows: [] }
  #reading: Promise<void> | undefined

  /** @param options.name what this replica is called, as no other one */
  constructor(options: { readonly database: Queryable; readonly clock: Clock; readonly name: string }) {
    this.#database = options.database
    this.#clock = options.clock
    this.#name = options.name
  }

  /**
   * Puts this replica's report in the place of its last one, and forgets who has been silent for long.
   * @returns how many replicas are not silent, this one included
   * @throws DatabaseUnavailableError
   */
  async publish(report: Report): Promise<number> {
    const [heard] = await this.#database.query<{ others: number }>({
      name: 'replica_reports.publish',
      text: `with forgotten as (
          delete from replica_reports where at < clock_timestamp() - ${FORGOTTEN_AFTER} and name <> $1::text)
        insert into replica_reports (name, report) values ($1::text, $2::json)
        on conflict (name) do update set at = excluded.at, report = excluded.report
        returning (select count(*)::integer from replica_reports
          where name <> $1::text and at >= clock_timestamp() - interval '${SILENT_AFTER_MS} milliseconds') as others`,
      values: [this.#name, JSON.stringify(report)],
    })
    return 1 + (heard?.others ?? 0)
  }

  /** This replica ends on purpose, so it is not one that fell silent. */
  async withdraw(): Promise<void> {
    const text = 'delete from replica_reports where name = $1::text'
    await this.#database.query({ name: 'replica_reports.withdraw', text, values: [this.#name] })
  }

  /**
   * The reports of all replicas, by name, this one's included once it has published. Where the database does not answer they are those
   * that it gave last, which grow older. Never rejects.
   * @param sharedMs how old a reading may be that others have asked for
   */
  async all(sharedMs = SHARED_MS): Promise<ReplicaReport[]> {
    if (this.#clock.now() - this.#known.at >= sharedMs) {
      this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
      await this.#reading.catch(() => undefined)
    }
    const since = this.#clock.now() - this.#known.at
    return this.#known.rows.map(({ name, at, age_ms, report }) => {
      const ageMs = Math.max(0, Math.round(age_ms + since))
      return { name, at: at.toISOString(), ageMs, isSilent: ageMs >= SILENT_AFTER_MS, report }
    })
  }

  async #read(): Promise<void> {
    const rows = await this.#database.query<Row>({
      name: 'replica_reports.all',
      text: `select name, at, extract(epoch from clock_timestamp() - at)::float8 * 1000 as age_ms, report
        from replica_reports where at >= clock_timestamp() - ${FORGOTTEN_AFTER} order by name`,
    })
    this.#known = { at: this.#clock.now(), rows }
  }
}
