-- What each replica says of itself every few seconds: its figures, for whoever asks any of them. Unlogged: after a crash all say it again.
create unlogged table replica_reports (
  name text primary key,
  at timestamptz not null default clock_timestamp(),
  report json not null
) with (fillfactor = 50);
