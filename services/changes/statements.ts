import { literal, quoted } from '../cache/index.js'
import type { Statement } from '../database/database.js'
import { type FollowedTable, NOTE, USERS } from './installation.js'

/** A place in a window: the change that was delivered last. */
export interface Position {
  readonly transaction: bigint
  readonly rowId: string
  readonly resource: string
  readonly version: bigint
}

/** What one look at the feed asks for. Snapshots are Postgres' own text. */
export interface Look {
  readonly userId: string
  /** The history that `from` is of; `undefined`: nothing is asked but where the feed is. */
  readonly history?: string | undefined
  readonly from?: string | undefined
  /** The end of the window; what the look itself sees unless given. */
  readonly to?: string | undefined
  readonly after?: Position | undefined
  /** Changes at most. */
  readonly limit: number
}

/** A change as it was written down, and still the newest of its row. Of {@link USERS}: that the user was made, and in which history. */
export type Found = readonly [
  transaction: string,
  rowId: string,
  resource: string,
  version: string,
  isDeleted: boolean,
  externalId: string | null,
]

/** What a look answers, all of one moment. */
export interface Seen {
  readonly snapshot: string
  readonly is_on: boolean
  /** Are all triggers there and switched on? */
  readonly is_complete: boolean
  readonly pruned: string
  /** The history that goes on now; null when it is to be made. */
  readonly history: string | null
  /** Of the history that was asked for, if that is an earlier one of this place. */
  readonly safe: string | null
  readonly found: readonly Found[]
  /** How far it looked when that was not to the end of the window. */
  readonly cut: readonly [transaction: string, rowId: string, resource: string, version: string] | null
}

/** Changes that one look goes through: a row that is changed again and again leaves many that are not its newest. */
export const MOST_SCANNED = 5_000

/** Before every change. */
const BEGINNING: Position = {
  transaction: 0n,
  rowId: '00000000-0000-0000-0000-000000000000',
  resource: '',
  version: 0n,
}

/** Which run of the server this is: clean restarts begin another one too, since files may have been put back meanwhile. */
const RUN = '(extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text'

/** The SQL of the feed of these tables. */
export class ChangesStatements {
  readonly #look: string
  readonly #place: string
  readonly #newest: string
  readonly #names: readonly string[]

  constructor(tables: readonly FollowedTable[]) {
    this.#names = tables.map(({ name }) => name)
    const oids = `array[${this.#names.map((name) => literal(quoted(name))).join(', ')}]::regclass[]`
    // The database, the timeline (a promoted standby and a restore to a point in time begin another one), and all triggers: one that was
    // off for a while is another. Not those of this release alone: two releases side by side have to come to the same.
    this.#place = `(select concat_ws(' ', (select oid from pg_database where datname = current_database()),
      left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
      (select string_agg(concat_ws(',', t.tgrelid, t.oid, t.xmin, ascii(t.tgenabled)), ';' order by t.oid)
        from pg_trigger t where t.tgname = '${NOTE}' and t.tgfoid = to_regproc('${NOTE}'))))`
    const versions = this.#names.map(
      (name) =>
        `when ${literal(name)} then (select r.version from ${quoted(name)} r where r.id = c.row_id and r.user_id = c.user_id)`,
    )
    // Each change of a row's content has a version of its own: what has another one by now was changed since, and stands in the feed again.
    this.#newest = `case c.resource ${versions.join(' ')} end is not distinct from case when not c.is_deleted then c.version end`
    this.#look = this.#lookText(oids)
  }

  look({ userId, history, from, to, after = BEGINNING, limit }: Look): Statement {
    const beginning = from === undefined ? undefined : { ...BEGINNING, transaction: xmaxOf(from) }
    const later = beginning !== undefined && after.transaction < beginning.transaction ? beginning : after
    const values = [
      userId,
      history ?? null,
      from ?? null,
      to ?? null,
      ...valuesOf(after),
      limit,
      [...this.#names, USERS],
      ...(beginning === undefined ? [null, null, null, null] : valuesOf(later)),
    ]
    return { name: 'changes.look', text: this.#look, values, isPrepared: true }
  }

  /**
   * Two index ranges, as a tail of the journal has them: what was running in `from`, and what began after it. Both in the order of the
   * index, so that a page costs what it holds and not what the window does; and no statement goes through more than {@link MOST_SCANNED}
   * changes to find some that are still the newest.
   */
  #lookText(oids: string): string {
    const order = 'c.changed_in, c.row_id, c.resource, c.version'
    const position = 'c.changed_in::text, c.row_id, c.resource, c.version::text'
    const range = (where: string): string => `select c.* from changes c
        where ${where} and pg_visible_in_snapshot(c.changed_in, k.until) and c.resource = any ($10::text[])
        order by c.user_id, ${order} limit ${MOST_SCANNED}`
    const running = `c.user_id = $1::uuid and c.changed_in = x.id and (${order}) > ($5::text::xid8, $6::uuid, $7::text, $8::bigint)`
    // Compared as rows: only the index of users can be gone through by these, in the order that is wanted.
    // Without a beginning nothing is asked for: the index would be gone through from the user's first change on, and none would be found.
    const later = `$11::text is not null and (c.user_id, ${order}) > ($1::uuid, $11::text::xid8, $12::uuid, $13::text, $14::bigint)
          and (c.user_id, c.changed_in) < ($1::uuid, pg_snapshot_xmax(k.until))`
    const window = `(select c.* from (
          (select c.* from unnest(array(select pg_snapshot_xip($3::pg_snapshot))) x (id), lateral (${range(running)}) c
            order by c.user_id, ${order} limit ${MOST_SCANNED})
          union all
          (${range(later)})
        ) c order by c.user_id, ${order} limit ${MOST_SCANNED}) c`
    return `select k.own::text as snapshot, k.is_on, k.triggers = ${this.#names.length} as is_complete, k.pruned::text as pruned, k.history,
      k.safe::text as safe, f.found, case when json_array_length(f.found) < $9::integer then (
        select json_build_array(${position}) from ${window} offset ${MOST_SCANNED - 1} limit 1) end as cut
    from (select pg_current_snapshot() as own, coalesce($4::pg_snapshot, pg_current_snapshot()) as until, s.is_on, s.pruned,
        (select h.id from changes_witness w join changes_histories h on h.id = w.history
          where h.run = ${RUN} and h.place = p.place limit 1) as history,
        (select h.mark from changes_histories h where h.id = $2::uuid and h.place = p.place) as safe,
        (select count(*) from pg_trigger t where t.tgrelid = any (${oids}) and t.tgname = '${NOTE}' and t.tgenabled = 'A') as triggers
      from changes_state s, ${this.#place} p (place) limit 1) k,
    lateral (select coalesce(json_agg(json_build_array(${position}, c.is_deleted, c.external_id) order by ${order}), '[]') as found from (
        select c.* from ${window} where ${this.#newest} order by c.user_id, ${order} limit $9::integer) c) f`
  }

  /** Before anything of the transaction that makes a history: what it sees is below that transaction, so it can be its mark. */
  readonly snapshot: Statement = { name: 'changes.snapshot', text: 'select pg_current_snapshot()::text as snapshot' }

  /** One at a time makes a history. */
  readonly lock: Statement = { name: 'changes.lock', text: 'select from changes_state for update' }

  /** Histories of another place are of no use. */
  get forgetOthers(): Statement {
    const text = `delete from changes_histories where place <> ${this.#place} returning id`
    return { name: 'changes.forget-histories', text }
  }

  readonly anyHistory: Statement = { name: 'changes.any-history', text: 'select from changes_histories limit 1' }

  /** Transactions of another place, which a dump brought along: their ids are still to come here. */
  readonly forgetStrangers: Statement = {
    name: 'changes.forget-strangers',
    text: `with own as materialized (select pg_current_snapshot() as snapshot),
      gone as (delete from changes where changed_in >= (select pg_snapshot_xmax(snapshot) from own))
      update changes_state set pruned = own.snapshot, marks = '{}', marked_at = '{}' from own`,
  }

  begin(mark: string): Statement {
    const text = `with gone as (delete from changes_witness),
      replaced as (update changes_histories set replaced_at = clock_timestamp() where replaced_at is null),
      made as (insert into changes_histories (run, place, mark) select ${RUN}, ${this.#place}, $1::pg_snapshot returning id)
      insert into changes_witness (history) select id from made`
    return { name: 'changes.begin', text, values: [mark] }
  }

  /** A single statement: its transaction gets its id behind the snapshot, so whatever keeps it keeps all that the mark sees. */
  get mark(): Statement {
    const text = `update changes_histories h set mark = pg_current_snapshot()
      where h.id = (select history from changes_witness limit 1) and h.run = ${RUN} and h.place = ${this.#place}`
    return { name: 'changes.mark', text }
  }

  /** Where the feed may be pruned up to later: at most one mark in `every`. */
  remember(every: string): Statement {
    const text = `with s as (select ctid from changes_state limit 1 for update skip locked)
      update changes_state set marks = marks || pg_current_snapshot(), marked_at = marked_at || clock_timestamp()
      where ctid = (select ctid from s) and (cardinality(marked_at) = 0
        or marked_at[cardinality(marked_at)] < clock_timestamp() - $1::text::interval)`
    return { name: 'changes.remember', text, values: [every] }
  }

  /** To be committed before a row goes: who follows from further back is told to read all. One of several replicas gets a row for it. */
  raise(age: string): Statement {
    const text = `with s as (select ctid, marks, marked_at, (select count(*) from unnest(marked_at) a (at)
        where a.at < clock_timestamp() - $1::text::interval)::integer as old from changes_state limit 1 for update skip locked)
      update changes_state c set pruned = s.marks[s.old], marks = s.marks[s.old + 1:], marked_at = s.marked_at[s.old + 1:]
      from s where c.ctid = s.ctid and s.old > 0 returning c.is_on`
    return { name: 'changes.raise', text, values: [age] }
  }

  readonly blocks: Statement = {
    name: 'changes.blocks',
    text: `select (pg_relation_size('changes') / current_setting('block_size')::integer)::integer as blocks`,
  }

  /** By blocks of the table: an index by age would cost every write more than this costs twice a day. */
  remove(fromBlock: number, toBlock: number): Statement {
    const text = `with gone as (delete from changes where ctid >= $1::tid and ctid < $2::tid
        and pg_visible_in_snapshot(changed_in, (select pruned from changes_state limit 1)) returning 1)
      select count(*)::integer as gone from gone`
    return { name: 'changes.remove', text, values: [`(${fromBlock},0)`, `(${toBlock},0)`] }
  }

  /** Cursors of a history that ended longer ago than changes are kept are over in any case. */
  forgetOld(age: string): Statement {
    const text = 'delete from changes_histories where replaced_at < clock_timestamp() - $1::text::interval'
    return { name: 'changes.forget-old', text, values: [age] }
  }
}

function valuesOf({ transaction, rowId, resource, version }: Position): string[] {
  return [String(transaction), rowId, resource, String(version)]
}

function xmaxOf(snapshot: string): bigint {
  return BigInt(snapshot.split(':')[1] ?? 0)
}
