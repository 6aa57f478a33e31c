import { EVERYTHING } from '../core/heard.js'

/**
 * A table whose rows are cached. In a tag, `{column}` stands for the text of that column of the row; a tag with a null in it is not raised. Of a
 * date or a time the text is that of the session that writes (`datestyle`, `timezone`): name a column of another type.
 */
export interface CachedTable {
  readonly table: string
  /** The primary key, one column, by which old and new rows of an update are paired; `id` unless said otherwise. */
  readonly key?: string
  /** Tags of one row: `{user_id}/designs/{id}`. */
  readonly row: string | readonly string[]
  /** Tags of lists that hold the row: `{user_id}/designs`. */
  readonly list: string | readonly string[]
  /** The tag that everything of the row's owner carries: raised instead when a statement changes many rows. */
  readonly owner: string
  /** Only changes of these columns raise `list`, beside rows that come and go. Any change does, if absent. */
  readonly listColumns?: readonly string[]
  /** Tags of what one column decides about, beside `list`: of lists that are narrowed or sorted by it. Raised when an update changes it. */
  readonly byColumn?: Readonly<Record<string, string>>
  /** Columns that the database owns: they move when, and only when, the content of the row does. */
  readonly version?: string
  readonly updatedAt?: string
  /** Generated columns, which a row does not have yet when its content is compared. */
  readonly generated?: readonly string[]
}

/** A trigger of a table: what follows its name in `create trigger`, and which of {@link triggerFunctions} it calls. */
export interface TableTrigger {
  readonly event: string
  readonly rows: string
  readonly calls: 'raise' | 'raise_row' | 'version'
  /** Whatever `session_replication_role` says, or where changes of another server are applied alone. */
  readonly fires: 'always' | 'replica'
}

/** More tags than this in one statement: their owners' instead. More owners: everything. */
const MOST_TAGS = 50

/** What an answer of "no such row" carries beside its row's and its owner's tags: raised when many rows are inserted at once. */
export function missingTag(table: string): string {
  return `missing:${table}`
}

export function triggersOf({ version, updatedAt }: CachedTable): readonly TableTrigger[] {
  const [old, made] = ['old table as old_rows', 'new table as new_rows']
  const raise = (event: string, tables: string): TableTrigger => {
    return { event, rows: `referencing ${tables} for each statement`, calls: 'raise', fires: 'always' }
  }
  const ofRows = { rows: 'for each row' } as const
  return [
    raise('after insert', made),
    raise('after update', `${old} ${made}`),
    raise('after delete', old),
    // What applies the changes of another server (logical replication) fires triggers of rows only.
    { ...ofRows, event: 'after insert or update or delete', calls: 'raise_row', fires: 'replica' },
    ...((version ?? updatedAt)
      ? [{ ...ofRows, event: 'before update', calls: 'version', fires: 'always' } as const]
      : []),
  ]
}

/** Bodies of the trigger functions of a table. Those that raise run with their owner's rights. */
export function triggerFunctions(table: CachedTable): Record<TableTrigger['calls'], string> {
  return { raise: raiseFunction(table), raise_row: raiseRowFunction(table), version: versionFunction(table) }
}

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The SQL of an array of tags of the row `alias`: `{id}/x` becomes `alias."id"::text || '/x'`. */
function tagsOf(templates: string | readonly string[], ...aliases: readonly string[]): string {
  const all = aliases.flatMap((alias) => [templates].flat().map((template) => tagOf(template, alias)))
  return `array[${all.join(', ')}]::text[]`
}

function tagOf(template: string, alias: string): string {
  const parts = template.split(/(\{[^{}]+\})/).filter((part) => part !== '')
  const values = parts.map((part) =>
    part.startsWith('{') ? `${alias}.${quoted(part.slice(1, -1))}::text` : literal(part),
  )
  return `(${values.join(' || ')})::text`
}

/** Every column that the triggers name. */
export function namedColumns({ row, list, owner, key = 'id', listColumns = [], ...more }: CachedTable): string[] {
  const { byColumn = {}, version = key, updatedAt = key, generated = [] } = more
  const inTags = columnsIn([row, list, owner, Object.values(byColumn)].flat())
  return [...new Set([key, ...inTags, ...listColumns, ...Object.keys(byColumn), version, updatedAt, ...generated])]
}

/** The columns that tags are made of. */
function columnsIn(templates: readonly string[]): string[] {
  return templates.flatMap((template) => [...template.matchAll(/\{([^{}]+)\}/g)].map(([, column = '']) => column))
}

/**
 * An update of one row whose tags stay the same, as nearly all are. The statement over both tables that is for the others takes twice as long.
 */
function raiseOneRow({ row, list, owner, listColumns, byColumn = {}, key = 'id', updatedAt }: CachedTable): string {
  const [older, newer] = ['old_row', 'new_row']
  const named = new Set([key, ...columnsIn([row, list, owner, Object.values(byColumn)].flat())])
  const tagIf = (columns: readonly string[] | undefined, template: string): string =>
    columns === undefined
      ? tagOf(template, newer)
      : `case when ${differ(columns, older, newer)} then ${tagOf(template, newer)} end`
  const tags = [
    ...[row].flat().map((template) => tagOf(template, newer)),
    ...[list].flat().map((template) => tagIf(listColumns, template)),
    // Its time moves with every change of a row.
    ...Object.entries(byColumn).map(([name, template]) => tagIf(name === updatedAt ? undefined : [name], template)),
  ]
  return `for new_row in select * from new_rows limit 2 loop looked := looked + 1; end loop;
    if looked = 1 then
      select * into old_row from old_rows;
      if not ${differ([...named], older, newer)} then
        if old_row *<> new_row then
          insert into cache_journal (tags) values (array_remove(array[${tags.join(', ')}]::text[], null));
        end if;
        return null;
      end if;
    end if;`
}

function raiseFunction(cached: CachedTable): string {
  const { table, row, list, owner, listColumns, byColumn = {}, key = 'id' } = cached
  const [o, n] = [`o.${quoted(key)}`, `n.${quoted(key)}`]
  const isMoved = `${o} is null or ${n} is null`
  const isListed = listColumns === undefined ? 'true' : `${isMoved} or ${differ(listColumns)}`
  const lists = [
    `case when ${isListed} then ${tagsOf(list, 'o', 'n')} end`,
    ...Object.entries(byColumn).map(([name, tag]) => `case when ${differ([name])} then ${tagsOf(tag, 'o', 'n')} end`),
  ]
  // What a row may name by its old and its new version: so many are looked at before it is decided whether there are too many.
  const mostLookedAt = 2 * [row, list, Object.keys(byColumn)].flat().length * MOST_TAGS
  // Compared by bytes: what is equal may still be another text. A name alone would be that of a column, where the table has one of that name.
  // By their texts: a type may have its operators where these functions do not look. What is equal in another text counts as moved.
  const updated = `old_rows o full join new_rows n on ${n}::text = ${o}::text`
  const branches = [
    {
      op: 'INSERT',
      from: 'new_rows n',
      tags: tagsOf([row, list].flat(), 'n'),
      owners: tagsOf(owner, 'n'),
      where: 'true',
    },
    {
      op: 'DELETE',
      from: 'old_rows o',
      tags: tagsOf([row, list].flat(), 'o'),
      owners: tagsOf(owner, 'o'),
      where: 'true',
    },
    {
      op: 'UPDATE',
      from: updated,
      tags: [tagsOf(row, 'o', 'n'), ...lists].join(' || '),
      owners: tagsOf(owner, 'o', 'n'),
      where: `(${isMoved} or record_image_ne(row(o.*), row(n.*)))`,
    },
  ].map(
    ({ op, from, tags, owners, where }) => `if tg_op = '${op}' then
    ${op === 'UPDATE' ? raiseOneRow(cached) : ''}
    select array_agg(distinct few.tag), count(*) into raised, looked from (
      select each.tag from ${from}, unnest(${tags}) as each (tag)
        where ${where} and each.tag is not null limit ${mostLookedAt + 1}) few;
    if looked > ${mostLookedAt} or cardinality(raised) > ${MOST_TAGS} then
      select array_agg(few.tag) into raised from (
        select distinct each.tag from ${from}, unnest(${owners}) as each (tag) limit ${MOST_TAGS + 1}) few;
      -- Rows that are nobody's have no other tag than their own.
      raised := case when cardinality(raised) > ${MOST_TAGS} or array_position(raised, null) is not null then array['${EVERYTHING}']
        else raised || ${literal(missingTag(table))}::text end;
    end if;
  end if;`,
  )
  return `declare
  old_row record;
  new_row record;
  raised text[];
  looked bigint := 0;
begin
  ${branches.join('\n  ')}
  if raised is not null then insert into cache_journal (tags) values (raised); end if;
  return null;
end`
}

/** SQL: whether an update changes one of these columns, by bytes as well. */
function differ(columns: readonly string[], older = 'o', newer = 'n'): string {
  const values = (alias: string): string => `row(${columns.map((name) => `${alias}.${quoted(name)}`).join(', ')})`
  return `record_image_ne(${values(older)}, ${values(newer)})`
}

/** One row of a change that another server made. Lists are raised whatever has changed. */
function raiseRowFunction({ row, list }: CachedTable): string {
  return `begin
  if tg_op <> 'UPDATE' or new operator(pg_catalog.*<>) old then
    insert into cache_journal (tags) select array_agg(distinct tag)
      from unnest(${tagsOf([row, list].flat(), 'old', 'new')}) tag where tag is not null having count(*) > 0;
  end if;
  return null;
end`
}

/**
 * Counts from the old row, so that two releases' triggers come to the same. The row is locked by then, so its times go up in the order of its
 * versions, whenever the transactions began; also over a failover to a server whose clock is behind.
 */
function versionFunction({ version, updatedAt, generated = [] }: CachedTable): string {
  const kept = [version, updatedAt, ...generated].flatMap((name) => (name === undefined ? [] : quoted(name)))
  const moved = [
    ...(version === undefined ? [] : [`new.${quoted(version)} := old.${quoted(version)} operator(pg_catalog.+) 1;`]),
    ...(updatedAt === undefined
      ? []
      : [`new.${quoted(updatedAt)} := greatest(old.${quoted(updatedAt)}, pg_catalog.clock_timestamp());`]),
  ]
  return `begin
  ${kept.map((name) => `new.${name} := old.${name};`).join(' ')}
  if new operator(pg_catalog.*<>) old then ${moved.join(' ')} end if;
  return new;
end`
}
