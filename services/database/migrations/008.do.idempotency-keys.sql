-- The first answer of a create that may be repeated. Rows of before a day count as absent; later creates delete them.
create table idempotency_keys (
  user_id uuid not null references users (id) on delete cascade,
  key text not null,
  -- What was asked for: a digest of the resource's name and the body.
  request text not null,
  row_id uuid not null,
  etag text not null,
  body text not null,
  version text not null,
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
