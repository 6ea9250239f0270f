create or replace function tusk.resolve(path text, tenant text default 'default')
returns uuid
language plpgsql
stable
as $$
declare
  part text;
  parent uuid;
  folder uuid;
  entry uuid;
begin
  select t.root_id into folder from tusk.tenants t where t.name = resolve.tenant;
  entry := folder;
  foreach part in array string_to_array(path, '/') loop
    continue when part = '' or part = '.';
    if folder is null then
      return null;
    end if;
    parent := folder;
    select d.id into folder
    from tusk.folders d
    where d.parent_id = parent and d.name = part and d.deleted_at is null and d.parent_id <> d.id;
    entry := coalesce(
      folder,
      (select f.id
       from tusk.files f
       where f.folder_id = parent and f.filename = part and f.deleted_at is null),
      (select l.file_id from tusk.file_links l where l.folder_id = parent and l.name = part));
  end loop;
  return entry;
end
$$;

create or replace function tusk.content(file_id uuid, version bigint)
returns bytea
language plpgsql
stable
as $$
declare
  f record;
  missing bigint;
  result bytea;
begin
  select v.size_bytes, v.storage_type, v.external_url, v.holes, v.data
  into f
  from (
    select c.id, c.version, c.size_bytes, c.storage_type, c.external_url, c.holes, c.data
    from tusk.files c
    union all
    select o.file_id, o.version, o.size_bytes, o.storage_type, o.external_url, o.holes, o.data
    from tusk.file_versions o) v
  where v.id = content.file_id
    and v.version = content.version;
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
         and c.version between 0 and content.version
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

create or replace function tusk.purge_trashed(tree uuid, entry uuid)
returns text
language plpgsql
as $$
declare
  made_ns bigint;
  deleted_ns bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  select tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at)
  into made_ns, deleted_ns
  from tusk.files f
  where f.id = entry
    and f.tenant_id = tree
    and f.deleted_at is not null
    and f.deleted_by is not null
  for update;
  if found then
    if tusk.is_in_snapshot(tree, made_ns, deleted_ns) or tusk.purge_files(array[entry]) = 0 then
      return 'in use';
    end if;
    return 'purged';
  end if;

  select tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at)
  into made_ns, deleted_ns
  from tusk.folders d
  where d.id = entry
    and d.tenant_id = tree
    and d.deleted_at is not null
    and d.deleted_by is not null
  for update;
  if not found then
    return 'gone';
  elsif exists (select 1 from tusk.trashed_tree(entry) t where t.id <> entry) then
    return 'not empty';
  elsif tusk.is_in_snapshot(tree, made_ns, deleted_ns) then
    return 'in use';
  elsif exists (select 1 from tusk.files f where f.folder_id = entry)
    or exists (select 1 from tusk.folders c where c.parent_id = entry)
  then
    update tusk.folders set deleted_by = null where id = entry;
  else
    perform tusk.delete_folders(array[entry]);
  end if;
  return 'purged';
end
$$;

create or replace function tusk.enter_as_writer()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '30s'
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(tusk.delegation_key(m.tenant_id))
  from (select tenant_id from tusk.mounts order by tenant_id) m;
  perform pg_catalog.pg_notify('tusk_changes', '');
  return null;
exception when lock_not_available then
  raise exception 'a mount of this database does not let others write'
    using errcode = 'lock_not_available',
      hint = 'its process may be stopped, or wait for a row that this transaction has locked: see tuskfs status';
end
$$;

drop function if exists tusk.fsck();
drop function tusk.on_delete_trash();
drop function tusk.usage(text);
drop function tusk.set_retention(text, interval, integer, interval);
drop function tusk.trash_purge(interval, integer);
drop function tusk.trash_restore(uuid, text);
drop function tusk.trash_list(text, timestamptz);
drop function tusk.restore_version(text, bigint);
drop function tusk.read_version(text, bigint);
drop function tusk.versions(text);
drop function tusk.copy(text, text, boolean);
drop function tusk.copy_folder(uuid, uuid, text);
drop function tusk.copy_file(uuid, uuid, text);
drop function tusk.move(text, text, boolean);
drop function tusk.clear_target(text, tusk.place, text, boolean);
drop function tusk.purge_deleted(uuid[], uuid[]);
drop function tusk.delete(text, boolean, boolean);
drop function tusk.keep_further_names(uuid[], uuid[]);
drop function tusk.append_file(text, bytea);
drop function tusk.write_file(text, bytea, text, integer, boolean);
drop function tusk.make_folder(text, integer, boolean);
drop function tusk.check_length(bigint);
drop function tusk.read_file(text, bigint, bigint);
drop function tusk.content_part(uuid, bigint, bigint, bigint);
drop function tusk.list_folder(text, text, integer);
drop function tusk.stat(text);
drop function tusk.path_of(uuid);
drop function tusk.id_of(text);
drop function tusk.place_of(text);
drop type tusk.place;
drop function tusk.find(text, text);
drop function tusk.find(text);
drop function tusk.entry_of(uuid, text);
drop function tusk.names_of(text);
drop function tusk.entry_at(uuid, text);
drop type tusk.entry;
drop function tusk.kind_of(integer);
drop function tusk.begin_write();
drop function tusk.current_tree();
drop function tusk.set_tenant(text);
drop function tusk.set_tenant(uuid);
