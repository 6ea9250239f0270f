-- Files in objects cannot be read without what goes here.
do $$
begin
  if exists (select 1 from tusk.files where external_url is not null)
    or exists (select 1 from tusk.file_versions where external_url is not null) then
    raise exception 'there are files and versions outside of the database'
      using hint = 'bring them in with tuskfs storage move, and let tuskfs gc remove the versions';
  end if;
end
$$;
drop function tusk.move_objects(uuid, text);
drop function tusk.drop_objects(uuid, timestamptz, interval);
drop function tusk.is_referenced(text);
drop function tusk.begin_objects(uuid, bigint, uuid[], text[]);
alter table tusk.tenants drop column objects_place;
drop index tusk.file_versions_external;
drop index tusk.files_external;
drop table tusk.objects;
