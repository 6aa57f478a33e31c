import { createHash } from 'node:crypto'
import { type CachedTable, literal, quoted, triggerFunctions, triggersOf } from './table-triggers.js'

/** Bytes of a name that are left behind the release's: Postgres cuts off what comes after 63, and two that begin alike would be one. */
const LONGEST_NAME = 48

/** The function of a table that its triggers call, without the release. */
export function functionName(calls: string, table: string): string {
  const name = `${calls}_${table}`
  return Buffer.byteLength(name) <= LONGEST_NAME ? name : `${calls}_${digestOf(table)}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

/** What all names of one release begin with. */
export function releaseOf(tables: readonly CachedTable[]): string {
  const content = JSON.stringify([functionsOf(tables), tables.map(triggersOf)])
  return `cache_${digestOf(content)}`
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
export const SERVER_SQL = `select concat_ws(' ', d.oid, (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint)
    from pg_database d where d.datname = current_database()`

const STATE = `select s.*, count(*) over () as states,
      (select j.changed_in from cache_journal j order by j.changed_in desc limit 1) as newest
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
  server := (${SERVER_SQL});
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

/** So many rows of a journal from elsewhere go in one step, which answers that it goes on. */
const RENEW_BATCH = 200_000
export const GOES_ON = 'goes on'

/**
 * DELETE, never TRUNCATE: rows of transactions under way must stay. A prepared transaction outlives a crash, and its row does not. Without a state it
 * is broken until the last row of before is gone, however many calls that takes.
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

/** It says as well that its release is in use: what another one has noted against it is taken back. */
const MARK = `declare state record; last integer;
begin
  if obj_description('$release$_tail(text, text, text)'::regprocedure, 'pg_proc') is not null then
    comment on function $release$_tail(text, text, text) is null;
  end if;
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

/**
 * Answers how many rows it looked at: of two replicas that prune at once, one waits for the other's, and must still go on after them. The bounds are
 * queries of their own: those of a join would be compared with every row of the journal.
 */
const REMOVE = `with looked as materialized (
    select j.ctid from cache_journal_state s join cache_journal j
      on pg_visible_in_snapshot(j.changed_in, s.pruned) and not pg_visible_in_snapshot(j.changed_in, s.deleted)
    where j.changed_in >= (select pg_snapshot_xmin(deleted) from cache_journal_state limit 1)
      and j.changed_in < (select pg_snapshot_xmax(pruned) from cache_journal_state limit 1)
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
  // The triggers of the first would call what was made for the second.
  if (new Set(tables.map(({ table }) => table)).size < tables.length)
    throw new TypeError('A table is named twice: give it all its tags at once, as arrays in row and list')
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
  // By functions: in a text `$'` would stand for something else, and a table may be named so.
  const tail = TAIL.replaceAll('$watched$', () => `${arrayOf(oids)}::oid[]`)
    .replaceAll('$names$', () => `${arrayOf(watched.map(literal))}::name[]`)
    .replaceAll('$tables$', `${arrayOf(triggers.map(({ at }) => at))}::integer[]`)
    .replaceAll('$triggers$', `${arrayOf(names)}::name[]`)
    .replaceAll('$replica$', `${arrayOf([...new Set(ofReplicas)])}::name[]`)
    .replaceAll('$fires$', `${arrayOf(states)}::text[]`)
  const planned = 'returns json language plpgsql stable set enable_seqscan = off set jit = off'
  const functions = {
    tail: make('known_since text, known_identity text, most_tags text', tail, planned),
    // A plan of when the journal was short would go through all of it for each row.
    renew: make('', RENEW, 'returns text language plpgsql set enable_seqscan = off'),
    mark: make('every text', MARK),
    prune: make('age text', PRUNE),
    remove: make('most text', REMOVE, 'returns text language sql'),
    finish: make('done text', FINISH, 'returns text language sql'),
  }
  const ofTables = tables.flatMap((table) =>
    Object.entries(triggerFunctions(table)).map(([name, body]) => {
      return [
        functionName(name, table.table),
        make('', body, 'returns trigger language plpgsql', name !== 'version'),
      ] as const
    }),
  )
  return { ...functions, ...Object.fromEntries(ofTables) }
}
