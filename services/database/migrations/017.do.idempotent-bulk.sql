-- The answer to many operations is about many rows.
alter table idempotency_keys alter column row_id drop not null, alter column etag drop not null;
