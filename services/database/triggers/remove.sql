-- Undoes install.sql (npm run migrate -- --without-triggers).
drop function if exists catalogue_rows_changed() cascade;
drop function if exists catalogue_users_changed() cascade;
drop function if exists catalogue_tokens_changed() cascade;
drop function if exists catalogue_raise(text[], text[]);
