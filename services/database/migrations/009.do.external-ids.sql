-- The caller's own key of a row, and what has no field here. As json, not jsonb: the text stays what it was, and no number grows.
alter table templates add column external_id text, add column metadata json;
alter table designs add column external_id text, add column metadata json;
alter table mockups add column external_id text, add column metadata json;
create unique index templates_external_id on templates (user_id, external_id);
create unique index designs_external_id on designs (user_id, external_id);
create unique index mockups_external_id on mockups (user_id, external_id);
