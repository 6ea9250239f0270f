-- Removes history. What is in the trash goes with the next mount, which takes it for files that were
-- unlinked while open.
delete from tusk.xattrs x
using tusk.folders d
where d.deleted_at is not null
  and x.owner_id = d.id;
delete from tusk.folders
where deleted_at is not null;
drop function tusk.last_seen(text, text);
drop function tusk.deletion_began(uuid);
drop view tusk.trash;
drop function tusk.past_path(uuid);
drop function tusk.resolve_at(text, bigint, text);
drop function tusk.folder_at(uuid, bigint, text);
drop function tusk.collect_garbage(uuid, timestamptz, integer);
drop function tusk.purge_files(uuid[]);
drop function tusk.sweep_chunks(uuid[]);
drop function tusk.is_in_snapshot(uuid, bigint, bigint);
drop function tusk.timestamp_to_ns(timestamptz);
drop function tusk.delete_folders(uuid[]);
drop function tusk.policy(uuid);
drop table tusk.snapshots;
drop table tusk.path_history;
drop table tusk.file_versions;
drop index tusk.files_trashed_names;
drop index tusk.folders_trashed_names;
drop index tusk.folders_deleted;
alter table tusk.file_links
  drop column named_at_ns;
alter table tusk.folders
  drop column named_at_ns,
  drop column deleted_by;
alter table tusk.files
  drop column content_at_ns,
  drop column named_at_ns,
  drop column deleted_by;

create or replace function tusk.delete_files(file_ids uuid[])
returns void
language plpgsql
as $$
begin
  delete from tusk.files where id = any (file_ids);
  delete from tusk.file_links where file_id = any (file_ids);
  delete from tusk.xattrs where owner_id = any (file_ids);
  delete from tusk.staging where file_id = any (file_ids);
  perform tusk.drop_chunks(
    file_ids,
    array_fill(0::bigint, array[cardinality(file_ids)]),
    array_fill(9223372036854775807, array[cardinality(file_ids)]),
    array_fill(0::bigint, array[cardinality(file_ids)]),
    array_fill(9223372036854775807, array[cardinality(file_ids)]));
end
$$;

create or replace function tusk.content(file_id uuid)
returns bytea
language plpgsql
stable
as $$
declare
  f record;
  missing bigint;
  result bytea;
begin
  select t.size_bytes, t.storage_type, t.external_url, t.version, t.holes, t.data
  into f
  from tusk.files t
  where t.id = content.file_id;
  if not found then
    return null;
  elsif f.storage_type <> 'db' then
    raise exception 'the content of file % is not in the database but at %', file_id, f.external_url;
  elsif f.data is not null then
    return f.data;
  elsif f.size_bytes > 1000000000 then
    raise exception 'file % has % bytes, more than one value can hold', file_id, f.size_bytes
      using hint = 'read it in pieces from tusk.file_chunks, or through a mount';
  end if;

  select min(n) filter (where p.data is null and not p.hole),
    string_agg(
      substring(
        coalesce(p.data, ''::bytea)
          || decode(repeat('00', 65536 - coalesce(octet_length(p.data), 0)), 'hex')
        from 1 for least(65536, f.size_bytes - n * 65536)::integer),
      ''::bytea
      order by n)
  into missing, result
  from (
    select n,
      (select coalesce(c.data, s.data)
       from tusk.file_chunks c
       left join tusk.file_chunks s
         on s.file_id = c.src_file_id
         and s.chunk_no = c.src_chunk_no
         and s.version = c.src_version
       where c.file_id = content.file_id
         and c.chunk_no = n
         and c.version between 0 and f.version
         and not c.retained
         and not h.hole
       order by c.version desc
       limit 1) as data,
      h.hole
    from generate_series(0, (f.size_bytes + 65535) / 65536 - 1) as n
    cross join lateral (
      select exists (
        select 1
        from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
        where n >= f.holes[i]
          and n < f.holes[i + 1]) as hole) h) p;
  if missing is not null then
    raise exception 'chunk % of file % is missing', missing, file_id using errcode = 'data_corrupted';
  end if;
  return coalesce(result, ''::bytea);
end
$$;

create or replace function tusk.count_file()
returns trigger
language plpgsql
as $$
begin
  if tg_op in ('UPDATE', 'DELETE') then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, -1, 0, -old.size_bytes);
  end if;
  if tg_op in ('UPDATE', 'INSERT') then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 1, 0, new.size_bytes);
  else
    perform tusk.delete_files(array[old.id]);
  end if;
  return null;
end
$$;
drop trigger count_file on tusk.files;
create trigger count_file
after insert or delete or update of tenant_id, size_bytes, data on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_file();

create or replace function tusk.count_folder()
returns trigger
language plpgsql
as $$
begin
  if tg_op = 'DELETE' then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, 0, -1, 0);
    delete from tusk.xattrs where owner_id = old.id;
  else
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 0, 1, 0);
  end if;
  return null;
end
$$;
drop trigger count_folder on tusk.folders;
create trigger count_folder
after insert or delete on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_folder();
drop function tusk.content(uuid, bigint);
