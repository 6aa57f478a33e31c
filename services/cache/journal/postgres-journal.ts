import { createHash } from 'node:crypto'
import type { Change, Journal, SqlRunner } from './journal.js'
import { transactionId } from '../core/snapshot.js'
import { type CachedTable, literal, quoted, triggerFunctions, triggersOf } from './table-triggers.js'

export interface PostgresJournalOptions extends Pick<Journal, 'listen' | 'close'> {
  /** Runs one statement each, in no transaction of the caller's: a pool. */
  readonly sql: SqlRunner
  /** For reading, so that a busy pool does not hold it up: a connection of its own, to the same server as the loads. `sql` unless given. */
  readonly tail?: SqlRunner
  readonly tables: readonly CachedTable[]
  /** More tags than this at once are not read: everything before counts as unknown. */
  readonly mostTags?: number
}

const MOST_TAGS = 100_000
const FEWEST_TAGS = 1_000
const PRUNE_BATCH = 5_000
/** Of a journal from elsewhere so many rows go in one step, which answers that it goes on. */
const [RENEW_BATCH, GOES_ON] = [200_000, 'goes on']

/** What the function `tail` answers: a transaction is below 2^53, so JSON's numbers hold it. */
interface RawTail {
  readonly snapshot: string
  readonly server?: string
  readonly from?: string
  readonly identity?: string
  readonly fault?: string | null
  readonly is_broken?: boolean
  readonly changes?: readonly Change[] | null
}

/** The journal in PostgreSQL (14 or later, PGlite too), as `installJournal` has made it for these very tables. */
export function createJournal(options: PostgresJournalOptions): Journal {
  const { sql, tail = sql, tables, mostTags = MOST_TAGS, listen, close } = options
  const release = releaseOf(tables)
  /** What the next tail may bring: less after one that was not done in time, which would be asked for again and again. */
  let most = mostTags
  /** Calls a function of this release; all of them answer one text, or none. */
  const call = async (on: SqlRunner, name: string, ...values: (string | null)[]): Promise<string | null> => {
    const places = values.map((_, n) => `$${n + 1}::text`).join(', ')
    const { rows } = await on.query(`select ${release}_${name}(${places})::text as answer`, values)
    return (rows as { answer: string | null }[])[0]?.answer ?? null
  }
  const tailed = async (since: string | null, identity: string | null): Promise<string | null> => {
    try {
      return await call(tail, 'tail', since, identity, `${most}`)
    } catch (error) {
      if (!wasEnded(error) || most === FEWEST_TAGS) throw error
      most = Math.max(FEWEST_TAGS, Math.floor(most / 4))
      // Who follows asks again; a start does not.
      if (since !== null) throw error
      return tailed(since, identity)
    }
  }
  return {
    ...(listen && { listen }),
    ...(close && { close }),
    async tail(since, identity) {
      const text = await tailed(since ?? null, identity ?? null)
      most = mostTags
      const raw: RawTail = JSON.parse(text ?? '{}')
      let fault = raw.fault ?? undefined
      // A tail writes nothing: the next one finds what this puts right, in steps each of which is to be done in the time of a tail.
      while (raw.is_broken && (fault === undefined || fault === GOES_ON))
        fault = (await call(tail, 'renew')) ?? 'emptied, or from elsewhere: made anew'
      return {
        snapshot: raw.snapshot,
        server: raw.server,
        from: raw.from ?? '',
        identity: raw.identity,
        fault,
        changes: raw.changes?.map(withTagsOnly),
      }
    },
    async touch(tags) {
      const { rows } = await sql.query('select cache_touch($1::text[]) as id', [tags])
      return transactionId((rows as { id: string }[])[0]?.id ?? '')
    },
    async mark(everyMs) {
      await call(sql, 'mark', `${everyMs} milliseconds`)
    },
    async prune(ms) {
      const pruned = await call(sql, 'prune', `${ms} milliseconds`)
      let total = 0
      for (let looked = 1; looked > 0; total += looked) looked = Number(await call(sql, 'remove', `${PRUNE_BATCH}`))
      if (pruned !== null) await call(sql, 'finish', pruned)
      return total
    },
  }
}

/** A row that was written by hand may hold nulls, or arrays of arrays. */
function withTagsOnly(change: Change): Change {
  const isTag = (tag: unknown): tag is string => typeof tag === 'string'
  return change.tags.every(isTag) ? change : { ...change, tags: [change.tags].flat(Infinity).filter(isTag) }
}

/** By the server, since it took too long. */
function wasEnded(error: unknown): boolean {
  return error instanceof Error && (('code' in error && error.code === '57014') || wasEnded(error.cause))
}

/** What all names of one release begin with. */
export function releaseOf(tables: readonly CachedTable[]): string {
  const content = JSON.stringify([functionsOf(tables), tables.map(triggersOf)])
  return `cache_${createHash('sha256').update(content).digest('hex').slice(0, 8)}`
}

export function namedTriggers(tables: readonly CachedTable[]) {
  const release = releaseOf(tables)
  return tables.flatMap((table) =>
    triggersOf(table).map((trigger) => ({
      ...trigger,
      table: table.table,
      name: `${release}_${trigger.event.replaceAll(' ', '_')}`,
    })),
  )
}

/** SQL for "snapshot a sees all that b saw", as `covers` in snapshot.ts. */
function covers(a: string, b: string): string {
  return `(pg_snapshot_xmax(${a}) > pg_snapshot_xmax(${b}) or pg_snapshot_xmax(${a}) = pg_snapshot_xmax(${b})
    and not exists (select pg_snapshot_xip(${a}) except select pg_snapshot_xip(${b})))`
}

/** SQL: which server and database this is, from its start to its end. It asks nothing of the journal. */
export const SERVER = `select concat_ws(' ', d.oid, (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint)
    from pg_database d where d.datname = current_database()`

const STATE = `select s.*, count(*) over () as states, (select j.changed_in from cache_journal j order by j.changed_in desc limit 1) as newest
    into state from cache_journal_state s limit 1`

/** Something in the state or the journal is not of this server's history. Never null, also while the journal is empty. */
const IS_BROKEN = `(state.states is distinct from 1
    or pg_snapshot_xmax(state.pruned) > pg_snapshot_xmax(own) or pg_snapshot_xmax(state.deleted) > pg_snapshot_xmax(own)
    or exists (select from unnest(state.marks) m where pg_snapshot_xmax(m) > pg_snapshot_xmax(own))
    or coalesce(state.newest >= pg_snapshot_xmax(own), false))`

/** Two index ranges: what began after the snapshot, and what was running in it. One `or` would become a sequential scan. */
const ROWS = `(select j.changed_in, j.tags from cache_journal j
      where j.changed_in >= pg_snapshot_xmax(start) order by j.changed_in limit most + 1)
    union all (select j.changed_in, j.tags from cache_journal j
      where j.changed_in = any (array(select pg_snapshot_xip(start))) limit most + 1)`

/**
 * What is wrong with the tables and triggers; null when nothing is. Asked when their numbers are not what they should be: a table's flag says that it
 * has children also when they are gone, until it is analyzed.
 */
const FAULT = `select string_agg(w.name || case when c.oid is null then ' is missing' else ' has child tables, whose changes nobody sees' end, ', ')
      into fault from unnest($names$) with ordinality w (name, n) left join pg_class c on c.oid = oids[w.n]
      where c.oid is null or exists (select from pg_inherits i where i.inhparent = c.oid);
    select coalesce(fault, 'not there or not "enable always": ' || string_agg(w.name || ' on ' || oids[w.tab]::regclass, ', ')
        || ': run the migrations again')
      into fault from unnest($tables$, $triggers$, $fires$) w (tab, name, fires)
      left join pg_trigger t on t.tgrelid = oids[w.tab] and t.tgname = w.name
      where t.oid is null or not t.tgenabled = any (w.fires::"char"[])`

/**
 * Everything of one statement, so of one snapshot; a function, so that its plan is kept. Tables are found by to_regclass and triggers by one range
 * of names (the backtick comes after the underscore): joins by name would read the whole index of pg_class. to_regclass knows what was put in place
 * of a table just now, and the snapshot does not: that tail says that the table is missing.
 */
const TAIL = `declare
  own pg_snapshot := pg_current_snapshot();
  since pg_snapshot := known_since; start pg_snapshot := since; most integer := most_tags;
  state record; oids oid[]; tables text; triggers text; fault text; server text; identity text; oldest xid8; total bigint; found integer; made integer;
begin
  ${STATE};
  oids := $watched$;
  select string_agg(concat_ws(',', c.oid, c.relfilenode, c.relnatts), ';' order by c.oid), count(*) filter (where not c.relhassubclass)
    into tables, found from pg_class c where c.oid = any (oids);
  select string_agg(concat_ws(',', t.oid, t.xmin, t.tgenabled), ';' order by t.oid),
    count(*) filter (where t.tgenabled = 'A' or t.tgenabled = 'R' and t.tgname = any ($replica$))
    into triggers, made from pg_trigger t where t.tgrelid = any (oids) and t.tgname >= '$release$_' and t.tgname < '$release$\`';
  if found <> cardinality(oids) or made <> cardinality($triggers$) then
    ${FAULT};
  end if;
  server := (${SERVER});
  if fault is not null or ${IS_BROKEN} then
    return json_build_object('snapshot', own, 'server', server, 'fault', fault, 'is_broken', fault is null);
  end if;
  identity := concat_ws(' ', state.epoch, server, tables, triggers);
  if since is null or known_identity is distinct from identity or not ${covers('since', 'state.pruned')} then
    -- The highest transaction from which on there is too much to read.
    select x.changed_in into oldest from (
      select j.changed_in, sum(greatest(cardinality(j.tags), 1)) over (order by j.changed_in desc) as tags
      from (select changed_in, tags from cache_journal order by changed_in desc limit most + 1) j) x
      where x.tags > most order by x.changed_in desc limit 1;
    -- The least mark by what it covers: of two with one xmax, the one that had more running.
    select m into start from unnest(state.marks) m
      where ${covers('m', 'state.pruned')} and (oldest is null or pg_snapshot_xmin(m) > oldest)
      order by pg_snapshot_xmax(m), (select count(*) from pg_snapshot_xip(m)) desc limit 1;
    start := coalesce(start, own);
  end if;
  select sum(greatest(cardinality(r.tags), 1)) into total from (${ROWS}) r;
  return json_build_object('snapshot', own, 'server', server, 'from', start, 'identity', identity, 'changes',
    case when total is null then '[]'::json when total <= most then
      (select json_agg(json_build_object('transaction', r.changed_in::text::bigint, 'tags', r.tags)) from (${ROWS}) r) end);
end`

/**
 * DELETE, never TRUNCATE: rows of transactions under way must stay. A prepared transaction outlives a crash, and its row does not. Without a state it is
 * broken until the last row of before is gone, however many calls that takes. (A plan of when the journal was short would go through it for each row.)
 */
const RENEW = `declare own pg_snapshot; state record; gone integer;
begin
  lock table cache_journal_state in exclusive mode;
  ${STATE};
  -- After it: what is committed meanwhile is of this history as well.
  own := pg_current_snapshot();
  -- Another replica has done it while this one waited.
  if not ${IS_BROKEN} then return null; end if;
  if exists (select from pg_prepared_xacts where database = current_database()) then
    return 'a prepared transaction is open: commit it or roll it back (pg_prepared_xacts)';
  end if;
  delete from cache_journal_state;
  delete from cache_journal where ctid = any (array(select ctid from cache_journal limit ${RENEW_BATCH}));
  get diagnostics gone = row_count;
  if gone = ${RENEW_BATCH} then return '${GOES_ON}'; end if;
  insert into cache_journal_state (epoch, pruned, deleted) values (gen_random_uuid(), pg_current_snapshot(), own);
  return null;
end`

const MARK = `declare state record; last integer;
begin
  select * into state from cache_journal_state limit 1 for update skip locked;
  last := cardinality(state.marks);
  if last = 0 or state.marked_at[last] < clock_timestamp() - every::interval
    and exists (select from cache_journal where changed_in >= pg_snapshot_xmax(state.marks[last])) then
    update cache_journal_state set marks = marks || pg_current_snapshot(), marked_at = marked_at || clock_timestamp();
  end if;
  return null;
end`

/** To be committed before a row goes: a tail that began below it starts anew. */
const PRUNE = `declare state record; raised pg_snapshot;
begin
  select * into state from cache_journal_state limit 1 for update skip locked;
  select u.mark into raised from unnest(state.marks, state.marked_at) u (mark, at)
    where u.at < clock_timestamp() - age::interval and ${covers('u.mark', 'state.pruned')}
    order by pg_snapshot_xmax(u.mark) desc, (select count(*) from pg_snapshot_xip(u.mark)) limit 1;
  if raised is not null then update cache_journal_state set pruned = raised; end if;
  return raised;
end`

/** Answers how many rows it looked at: of two that prune at once, one waits, and must still go on. A join's bounds would be compared with every row. */
const REMOVE = `with looked as materialized (
    select j.ctid from cache_journal_state s join cache_journal j
      on pg_visible_in_snapshot(j.changed_in, s.pruned) and not pg_visible_in_snapshot(j.changed_in, s.deleted)
    where j.changed_in >= (select pg_snapshot_xmin(deleted) from cache_journal_state limit 1) and j.changed_in < (select pg_snapshot_xmax(pruned) from cache_journal_state limit 1)
    order by j.changed_in limit most::integer),
  gone as (delete from cache_journal where ctid = any (array(select ctid from looked)))
  select count(*)::text from looked`

const FINISH = `update cache_journal_state set deleted = done::pg_snapshot,
    marks = array(select u.mark from unnest(marks, marked_at) u (mark, at)
      where ${covers('u.mark', 'done::pg_snapshot')} order by u.at),
    marked_at = array(select u.at from unnest(marks, marked_at) u (mark, at)
      where ${covers('u.mark', 'done::pg_snapshot')} order by u.at)
  where ${covers('done::pg_snapshot', 'deleted')} returning null::text`

/** `isOwners`: runs with its owner's rights, and then looks nothing up where callers may put things. */
export type SqlFunction = Readonly<{ declaration: string; body: string; isOwners: boolean }>

export function functionsOf(tables: readonly CachedTable[]): Record<string, SqlFunction> {
  const make = (args: string, body: string, is = 'returns text language plpgsql', isOwners = true): SqlFunction => ({
    declaration: `(${args}) ${is}`,
    body,
    isOwners,
  })
  const arrayOf = (items: readonly (string | number)[]): string => `array[${items.join(', ')}]`
  const watched = [...tables.map(({ table }) => table), 'cache_journal', 'cache_journal_state']
  const triggers = tables.flatMap((table, at) => triggersOf(table).map((trigger) => ({ ...trigger, at: at + 1 })))
  const names = triggers.map(({ event }) => literal(`$release$_${event.replaceAll(' ', '_')}`))
  const states = triggers.map(({ fires }) => literal(fires === 'always' ? '{A}' : '{A,R}'))
  const ofReplicas = triggers.flatMap(({ fires }, at) => (fires === 'always' ? [] : [names[at] ?? '']))
  const oids = watched.map((table) => `to_regclass($schema$ || ${literal(`.${quoted(table)}`)})`)
  const tail = TAIL.replaceAll('$watched$', `${arrayOf(oids)}::oid[]`)
    .replaceAll('$names$', `${arrayOf(watched.map(literal))}::name[]`)
    .replaceAll('$tables$', arrayOf(triggers.map(({ at }) => at)))
    .replaceAll('$triggers$', `${arrayOf(names)}::name[]`)
    .replaceAll('$replica$', `${arrayOf([...new Set(ofReplicas)])}::name[]`)
    .replaceAll('$fires$', arrayOf(states))
  const planned = 'returns json language plpgsql stable set enable_seqscan = off set jit = off'
  const functions = {
    tail: make('known_since text, known_identity text, most_tags text', tail, planned),
    renew: make('', RENEW, 'returns text language plpgsql set enable_seqscan = off'),
    mark: make('every text', MARK),
    prune: make('age text', PRUNE),
    remove: make('most text', REMOVE, 'returns text language sql'),
    finish: make('done text', FINISH, 'returns text language sql'),
  }
  const ofTables = tables.flatMap((table) =>
    Object.entries(triggerFunctions(table)).map(([name, body]) => {
      return [`${name}_${table.table}`, make('', body, 'returns trigger language plpgsql', name !== 'version')] as const
    }),
  )
  return { ...functions, ...Object.fromEntries(ofTables) }
}
