do $$
declare
  each text;
begin
  foreach each in array array['folders', 'files', 'file_links', 'file_chunks', 'xattrs'] loop
    execute format('drop trigger enter_as_writer on tusk.%I', each);
    execute format('drop trigger note_change on tusk.%I', each);
  end loop;
end
$$;
drop function tusk.note_change();
drop function tusk.enter_as_writer();
drop function tusk.sessions_at(bigint);
drop function tusk.delegation_key(uuid);
drop table tusk.changes;
