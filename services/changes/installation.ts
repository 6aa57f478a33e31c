import { literal, quoted, type SqlRunner } from '../cache/index.js'

/** The table of users, and what the feed calls it where a user was made: that is no resource, and nobody is told of it. */
export const USERS = 'users'

/** A table whose rows belong to users, with the columns that every resource has. */
export interface FollowedTable {
  readonly name: string
}

/** The triggers of each followed table, and of the table of users. Their names stay: a later release replaces what they call. */
export const NOTE = 'changes_note'
const TRUNCATED = 'changes_truncated'
const FORGET = 'changes_forget'
const MADE = 'changes_made'

/**
 * Has the changes of `tables` written down from now on, or (`isOn` false) no longer; to be run in the transaction of the migrations, and
 * again at each start. Where a trigger was missing or switched off until now the feed begins anew: cursors of before are of no use, since
 * nobody knows what they have missed.
 */
export async function installChanges(
  sql: SqlRunner,
  tables: readonly FollowedTable[],
  { isOn }: { readonly isOn: boolean },
): Promise<void> {
  const { rows } = await sql.query('select quote_ident(current_schema()) as schema')
  const [row] = rows
  const schema = typeof row === 'object' && row !== null && 'schema' in row ? String(row.schema) : 'public'
  await sql.query(isOn ? switchOn(schema, tables) : switchOff(schema))
}

/** Where the feed is on, each is there and `enable always`. */
export function changesTriggers(tables: readonly FollowedTable[]) {
  const ofTables = tables.flatMap(({ name: table }) => [
    { table, name: NOTE, event: 'after insert or update or delete', each: 'row' },
    { table, name: TRUNCATED, event: 'after truncate', each: 'statement' },
  ])
  const ofUsers = [
    { table: USERS, name: FORGET, event: 'after delete', each: 'row' },
    { table: USERS, name: MADE, event: 'after insert', each: 'row' },
  ]
  return [...ofTables, ...ofUsers]
}

function switchOn(schema: string, tables: readonly FollowedTable[]): string {
  const functions = Object.entries(functionsIn(schema)).map(([name, body]) => {
    const made = `${schema}.${name}()`
    return [
      name,
      body,
      `create or replace function ${made} returns trigger language plpgsql security definer as ${literal(body)};
      revoke all on function ${made} from public`,
    ]
  })
  const triggers = changesTriggers(tables).map(({ table, name, event, each }) => {
    const on = `${schema}.${quoted(table)}`
    return [on, name, `create trigger ${name} ${event} on ${on} for each ${each} execute function ${schema}.${name}()`]
  })
  return `do $do$ declare
  made record; is_gap boolean := false;
begin
  for made in select * from (values ${valuesOf(functions)}) v (name, source, text) loop
    continue when exists (select from pg_proc where proname = made.name and pronamespace = ${literal(schema)}::regnamespace
      and prosrc = made.source);
    execute made.text;
  end loop;
  for made in select tab::regclass as tab, name, text from (values ${valuesOf(triggers)}) v (tab, name, text) loop
    continue when exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name and tgenabled = 'A');
    if not exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name) then execute made.text; end if;
    execute format('alter table %s enable always trigger %I', made.tab, made.name);
    -- A database of an earlier release never had this one: its cursors are as good as they were.
    is_gap := is_gap or made.name <> '${MADE}';
  end loop;
  if is_gap or exists (select from ${schema}.changes_state where not is_on) then
    update ${schema}.changes_state set is_on = true;
    delete from ${schema}.changes_witness;
    delete from ${schema}.changes_histories;
  end if;
end $do$`
}

/** Replicas that still serve the feed find it switched off; what was written down goes. */
function switchOff(schema: string): string {
  return `do $do$ declare
  made record;
begin
  if exists (select from ${schema}.changes_state where is_on) then
    update ${schema}.changes_state set is_on = false;
    delete from ${schema}.changes_witness;
    delete from ${schema}.changes_histories;
  end if;
  for made in select t.tgrelid::regclass as tab, t.tgname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = ${literal(schema)}::regnamespace and t.tgname in ('${NOTE}', '${TRUNCATED}', '${FORGET}', '${MADE}') loop
    execute format('drop trigger %I on %s', made.name, made.tab);
  end loop;
  if exists (select from ${schema}.changes) then truncate ${schema}.changes; end if;
end $do$`
}

function valuesOf(items: readonly string[][]): string {
  return items.map((item) => `(${item.map(literal).join(', ')})`).join(', ')
}

/**
 * With their owner's rights, so that whoever may write a row needs none here; every name says its schema, since setting a search_path
 * would cost each write more than the rest. A row that goes because its user goes leaves nothing, so a user who comes says since when their
 * rows are told of: an id that is given a second time is another user's.
 */
function functionsIn(schema: string): Record<string, string> {
  const columns = '(version, user_id, row_id, is_deleted, resource, external_id)'
  return {
    [NOTE]: `begin
  if tg_op operator(pg_catalog.=) 'UPDATE' then
    if not new operator(pg_catalog.*<>) old then return null; end if;
    if new.id operator(pg_catalog.=) old.id and new.user_id operator(pg_catalog.=) old.user_id then
      insert into ${schema}.changes ${columns} values (new.version, new.user_id, new.id, false, tg_table_name, null);
      return null;
    end if;
  end if;
  if tg_op operator(pg_catalog.<>) 'INSERT' then
    insert into ${schema}.changes ${columns}
      select old.version operator(pg_catalog.+) 1, old.user_id, old.id, true, tg_table_name, old.external_id
      where exists (select from ${schema}.users u where u.id operator(pg_catalog.=) old.user_id);
  end if;
  if tg_op operator(pg_catalog.<>) 'DELETE' then
    insert into ${schema}.changes ${columns} values (new.version, new.user_id, new.id, false, tg_table_name, null);
  end if;
  return null;
end`,
    [TRUNCATED]: `begin
  -- Who makes a history holds this row: one that is made meanwhile goes too.
  perform from ${schema}.changes_state for update;
  delete from ${schema}.changes_witness;
  delete from ${schema}.changes_histories;
  return null;
end`,
    [FORGET]: `begin
  delete from ${schema}.changes where user_id operator(pg_catalog.=) old.id;
  return null;
end`,
    // In the place of an external_id, the history that goes on: transaction ids mean something within it alone.
    [MADE]: `begin
  insert into ${schema}.changes ${columns}
    values (0, new.id, new.id, true, '${USERS}', (select w.history::text from ${schema}.changes_witness w limit 1));
  return null;
end`,
  }
}
