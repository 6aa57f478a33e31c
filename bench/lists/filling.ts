import type pg from 'pg'

/** Who has most of the rows, somebody in the middle, and somebody with a few. */
export interface Owners {
  readonly largest: string
  readonly middle: string
  readonly small: string
}

/**
 * Users and their designs, of which the user with rank k has about 1/k: the largest some 7 %. Everybody's rows lie between everybody else's, as they come
 * in in time. Of the largest user's designs 66 % are on shopify, 33 % on etsy, one in 1,000 on craftflow, which is never active in the older half.
 */
export async function fill(client: pg.Client, rows: number): Promise<Owners> {
  const users = Math.max(100, rows / 100)
  await client.query(`insert into users (id, email, shop_name)
    select new_row_id(n), n || '@example.com', 'A shop' from generate_series(1, ${users}) n`)
  await client.query(`create temp table ranks as select row_number() over (order by id desc) as rank, id from users`)
  await client.query('create index on ranks (rank); analyze ranks')
  await client.query(`insert into templates (user_id, name, title, platform, product_type, price_cents, currency)
    select id, 'Mug ' || n, 'A mug', 'etsy', 'mug', case when n % 3 = 0 then n end, case when n % 3 = 0 then 'EUR' end
    from ranks, generate_series(1, 3000) n where rank = 2 or (rank = 3 and n <= 20)`)
  await client.query(`insert into designs (id, user_id, filename, file_path, description, platform, tags, is_active, updated_at, external_id)
    select new_row_id(n), ranks.id, 'Design ' || n || ' fox-' || (n::bigint * 7919 % 5000) || '.png', '/designs/' || n,
      case when n % 2 = 0 then 'A pattern of leaves in colour ' || (n % 300) || ' for summer' end,
      case when n % 1000 = 0 then 'craftflow' when n % 3 = 0 then 'etsy' else 'shopify' end,
      array['Summer', 'tag' || (n % 50), 'rare' || (n::bigint * 31 % 8000)],
      n % 10 <> 0, statement_timestamp() - (n::bigint * 7919 % 1000000) * interval '1 second', 'key-' || n
    from (select n, ceil(${users} ^ ((n::bigint * 7919 % 1000003) / 1000003.0))::integer as rank
      from generate_series(1, ${rows}) n) as made join ranks using (rank)`)
  await client.query('vacuum analyze')
  const { rows: found } = await client.query<{ id: string }>(
    `select user_id as id from designs group by 1 order by count(*) desc, 1`,
  )
  const at = (place: number): string => found[place]?.id ?? ''
  return { largest: at(0), middle: at(20), small: at(Math.floor(found.length / 2)) }
}
