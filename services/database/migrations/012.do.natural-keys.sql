-- By what an import knows a row that has no external_id: several columns together. A hash of them, since a path alone may be longer than an
-- entry of an index; hash_record_extended takes nulls too. The indexes of one column each are gone: a name that is in a thousand folders made
-- an import read a thousand rows for each line.
create index templates_natural_key on templates (user_id, hash_record_extended(row(platform, name), 0));
create index designs_natural_key on designs (user_id, hash_record_extended(row(platform, file_path, filename), 0));
create index mockups_natural_key on mockups (user_id, hash_record_extended(row(template_id, design_id, name), 0));
drop index templates_user_name;
drop index designs_user_filename;
