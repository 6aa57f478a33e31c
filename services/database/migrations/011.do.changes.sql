-- What changed since (docs/changes.md). Triggers on the tables of resources write a row for each change, in the same transaction; the
-- service puts them there, and takes them away where CHANGES=off (services/changes/installation.ts).
create table changes (
  changed_in xid8 not null default pg_current_xact_id(),
  -- That of the row; of a deletion the one after it.
  version bigint not null,
  user_id uuid not null,
  row_id uuid not null,
  is_deleted boolean not null,
  resource text not null,
  -- Of a deleted row.
  external_id text
);
create index changes_user on changes (user_id, changed_in, row_id, resource, version);

-- One row. What `pruned` sees may be gone. The marks are where it may move to.
create table changes_state (
  is_on boolean not null default false,
  pruned pg_snapshot not null default pg_current_snapshot(),
  marks pg_snapshot[] not null default '{}',
  marked_at timestamptz[] not null default '{}'
);
insert into changes_state default values;

-- Histories of this database in which transaction ids mean the same. `mark` is safe: what it sees has reached the disk with it.
create table changes_histories (
  id uuid primary key default gen_random_uuid(),
  run text not null,
  place text not null,
  mark pg_snapshot not null,
  replaced_at timestamptz
);
-- The one that goes on now. Unlogged: a crash or a failover empties it exactly when transaction ids may be given out again.
create unlogged table changes_witness (history uuid not null);
