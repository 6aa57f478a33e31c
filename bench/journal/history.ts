import type pg from 'pg'

/** In so many parts of the time that rows are kept; with more marks than the engine makes in it. */
const STEPS = 60

/** Uses up that many transaction ids; returns the first of them. Subtransactions take ids as well, and much faster than transactions. */
export async function takeIds(client: pg.Client, count: number): Promise<string> {
  await client.query('create temp table if not exists ids_taken (id xid8); truncate ids_taken')
  await client.query(`do $do$ begin
    for n in 1 .. ${Math.ceil(count / 1_000)} loop
      for m in 1 .. 1000 loop
        begin
          insert into ids_taken values (pg_current_xact_id());
        exception when division_by_zero then null;
        end;
      end loop;
      commit;
    end loop;
  end $do$`)
  const { rows } = await client.query<{ id: string }>('select min(id::text::bigint)::text as id from ids_taken')
  return rows[0]?.id ?? ''
}

/**
 * Fills the journal as if `rows` changes of these tags had come evenly over the time that they are kept, each by a transaction of its own, with a
 * mark after each part.
 */
export async function fillHistory(
  client: pg.Client,
  { rows, hot, keptMs }: { readonly rows: number; readonly hot: readonly string[]; readonly keptMs: number },
): Promise<void> {
  const each = Math.ceil(rows / STEPS)
  await client.query('create temp table hot (place serial primary key, tag text)')
  await client.query('insert into hot (tag) select unnest($1::text[])', [hot])
  for (let step = 0; step < STEPS; step++) {
    const first = await takeIds(client, each)
    await client.query(`insert into cache_journal (changed_in, tags)
      select (${first} + n)::text::xid8, array[hot.tag, regexp_replace(hot.tag, '/[^/]+$', '')]
      from generate_series(0, ${each - 1}) n join hot on hot.place = 1 + n * 7919 % ${hot.length}`)
    const marked = await client.query(`update cache_journal_state
      set marks = marks || pg_current_snapshot(),
        marked_at = marked_at || clock_timestamp() - make_interval(secs => ${((STEPS - 1 - step) * keptMs) / STEPS / 1_000})`)
    if (marked.rowCount !== 1) throw new Error('The journal has no state')
  }
  await client.query('vacuum analyze')
}
