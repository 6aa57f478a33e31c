-- What is one e-mail address does not depend on the collation of the database: by one of Turkish, INFO@ and info@ were two. "C" folds the
-- letters of ASCII only, the same everywhere and for ever, and the service takes no others in an address.
do $$
declare
  twins text;
begin
  select string_agg(id::text, ', ' order by id) into twins from users
  where lower(email collate "C") in (select lower(email collate "C") from users group by 1 having count(*) > 1);
  if twins is not null then
    raise exception 'These users have one e-mail address but for the case of its letters: %. Give each an address of its own (PATCH /api/users/<id> still works), then migrate again', twins;
  end if;
end $$;
create unique index users_email_c on users (lower(email collate "C"));
drop index users_email;
alter index users_email_c rename to users_email;
