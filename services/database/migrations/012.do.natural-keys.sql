-- By what an import knows a row: its external_id, or else several columns together (its natural key). Each is a hash of them with the owner:
-- a path alone may be longer than an entry of an index, hash_record_extended takes nulls, and above all no other index begins with the same
-- column. Of several that begin with user_id the planner takes any while its statistics do not know a user, and an import reads all rows of
-- theirs for each line.
create index templates_natural_key on templates (hash_record_extended(row(user_id, platform, name), 0));
create index designs_natural_key on designs (hash_record_extended(row(user_id, platform, file_path, filename), 0));
create index mockups_natural_key on mockups (hash_record_extended(row(user_id, template_id, design_id, name), 0));
create index templates_named on templates (hash_record_extended(row(user_id, external_id), 0)) where external_id is not null;
create index designs_named on designs (hash_record_extended(row(user_id, external_id), 0)) where external_id is not null;
create index mockups_named on mockups (hash_record_extended(row(user_id, external_id), 0)) where external_id is not null;
drop index templates_user_name;
drop index designs_user_filename;
-- What an index holds that is no column has statistics only from the next analyze on.
analyze templates;
analyze designs;
analyze mockups;
