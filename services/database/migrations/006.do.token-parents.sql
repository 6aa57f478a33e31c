-- Which token made a token: those are revoked together. Unknown (null) for what an administrator made and for all tokens of before.
-- The service deletes all descendants in one statement; the cascade is for those that are made at that very moment, and for SQL of others.
alter table tokens add column parent_id uuid references tokens (id) on delete cascade;
create index tokens_parent on tokens (parent_id) where parent_id is not null;
