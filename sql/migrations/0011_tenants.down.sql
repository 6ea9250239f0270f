do $$
declare
  role_name text;
begin
  for role_name in
    select r.rolname
    from pg_catalog.pg_roles r
    where r.rolname in ('tusk_reader', 'tusk_writer')
  loop
    execute format('revoke all on tusk.tenant_members from %I', role_name);
  end loop;
end
$$;
drop function tusk.make_roles();
alter function tusk.grant_to_roles() rename to make_roles;
grant execute on function tusk.make_roles() to public;
comment on function tusk.make_roles() is
  'Makes the roles tusk_reader, tusk_writer and tusk_admin where the server lacks them, and gives them their rights in the trees of this database. Needs the right to make roles. Databases that a dump is restored to need these roles first.';

do $$
declare
  privilege constant text := ' OR (NOT has_table_privilege((''tusk.mounts''::regclass)::oid, ''update''::text))';
  each record;
begin
  for each in
    select g.tgname as name, g.tgrelid::regclass::text as "table", pg_get_triggerdef(g.oid) as definition,
      g.tgfoid in ('tusk.admit_row'::regproc, 'tusk.admit_id'::regproc, 'tusk.keep_quota'::regproc) as goes
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c
      on c.oid = g.tgrelid
    where c.relnamespace = 'tusk'::regnamespace
      and not g.tgisinternal
      and strpos(pg_get_triggerdef(g.oid), 'has_table_privilege') > 0
  loop
    execute format('drop trigger %I on %s', each.name, each."table");
    continue when each.goes;
    execute replace(each.definition, privilege, '');
  end loop;
  for each in
    select c.relname as name
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c
      on c.oid = p.polrelid
    where c.relnamespace = 'tusk'::regnamespace
      and p.polname = 'one_tree'
  loop
    execute format('drop policy one_tree on tusk.%I', each.name);
    execute format('alter table tusk.%I disable row level security, no force row level security', each.name);
  end loop;
end
$$;

drop function tusk.begin_write();
alter function tusk.await_mounts() rename to begin_write;
comment on function tusk.begin_write() is
  'Waits until mounts have committed what they have and let this transaction write. The functions that change something begin with it, and so find what mounts wrote.';

drop function tusk.admit_row();
drop function tusk.admit_id();
drop function tusk.keep_quota();
drop function tusk.check_usage(text, boolean);
drop function tusk.check_quota(uuid, bigint, bigint);
drop function tusk.fold_pending_usage(uuid);
drop function tusk.take_quota_turns();
drop function tusk.set_quota(text, bigint, bigint);
drop index tusk.usage_pending_tenant;
drop table tusk.quota_turns;
alter table tusk.tenants drop column quota_bytes, drop column quota_files;

alter function tusk.policy_of(uuid) security definer;
alter function tusk.lock_folder(uuid) security definer;
alter function tusk.is_below(uuid, uuid) security definer;

alter view tusk.trash reset (security_barrier);
create or replace view tusk.trash as
select t.name as tenant, e.id, e.is_folder, tusk.past_path(e.id) as path, e.size_bytes,
  e.deleted_at, e.deleted_by
from (
  select f.tenant_id, f.id, false as is_folder, f.size_bytes, f.deleted_at, f.deleted_by
  from tusk.files f
  where f.deleted_at is not null
    and f.deleted_by is not null
  union all
  select d.tenant_id, d.id, true, 0, d.deleted_at, d.deleted_by
  from tusk.folders d
  where d.deleted_at is not null
    and d.deleted_by is not null) e
join tusk.tenants t
  on t.id = e.tenant_id;
comment on view tusk.trash is
  'What is in the trash of every tree: where it was, since when it is there, and who (a uid) deleted it.';

create or replace function tusk.enter_name(tree uuid, folder uuid, entry uuid, name text)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  is_in_tree boolean;
begin
  if name in ('', '.', '..') or strpos(name, '/') > 0 or octet_length(name) > 255 then
    raise exception '% is not a name for a file or folder', quote_literal(name)
      using errcode = 'check_violation',
        hint = 'a name has 1 to 255 bytes, no slash, and is not . or ..';
  end if;
  -- With the folder's row locked nobody else enters the same name, be it in another table.
  is_in_tree := tusk.lock_folder(folder);
  is_in_tree := is_in_tree and exists (
    select 1
    from tusk.folders d
    where d.id = enter_name.folder
      and d.tenant_id = enter_name.tree);
  if not is_in_tree then
    raise exception 'folder % is not in the tree', folder
      using errcode = 'foreign_key_violation', hint = 'see tusk.folders';
  end if;
  if exists (
      select 1
      from tusk.folders d
      where d.parent_id = enter_name.folder
        and d.name = enter_name.name
        and d.deleted_at is null
        and d.parent_id <> d.id
        and d.id <> enter_name.entry)
    or exists (
      select 1
      from tusk.files f
      where f.folder_id = enter_name.folder
        and f.filename = enter_name.name
        and f.deleted_at is null
        and f.id <> enter_name.entry)
    or exists (
      select 1
      from tusk.file_links l
      where l.folder_id = enter_name.folder
        and l.name = enter_name.name
        and l.file_id <> enter_name.entry)
  then
    raise exception '% is taken in its folder', quote_literal(name)
      using errcode = 'unique_violation';
  end if;
end
$$;

create or replace function tusk.copy_file(source uuid, folder uuid, name text)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  copied uuid := tusk.uuid_v7();
begin
  insert into tusk.files (
    id, tenant_id, folder_id, filename, size_bytes, mode, uid, gid, rdev, mtime_ns, mime_type,
    storage_type, external_url, checksum, holes, data)
  select copied, d.tenant_id, d.id, copy_file.name, f.size_bytes, f.mode, f.uid, f.gid, f.rdev,
    f.mtime_ns, f.mime_type, f.storage_type, f.external_url, f.checksum, f.holes, f.data
  from tusk.files f
  join tusk.folders d
    on d.id = copy_file.folder
    and d.tenant_id = f.tenant_id
  where f.id = source
    and f.tenant_id = tusk.current_tree();
  perform tusk.share_chunks(
    array[copied], array[0::bigint], array[1::bigint], array[f.id], array[0::bigint],
    array[f.version], array[(f.size_bytes + 65535) / 65536])
  from tusk.files f
  where f.id = source
    and f.data is null
    and f.storage_type = 'db'
    and f.size_bytes > 0;
  insert into tusk.xattrs (owner_id, name, value)
  select copied, x.name, x.value
  from tusk.xattrs x
  where x.owner_id = source;
  return copied;
end
$$;

create or replace function tusk.copy_folder(source uuid, folder uuid, name text)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  each record;
  copied uuid;
begin
  insert into tusk.folders (tenant_id, parent_id, name, mode, uid, gid, mtime_ns)
  select d.tenant_id, copy_folder.folder, copy_folder.name, d.mode, d.uid, d.gid, d.mtime_ns
  from tusk.folders d
  where d.id = source
    and d.tenant_id = tusk.current_tree()
  returning id into copied;
  insert into tusk.xattrs (owner_id, name, value)
  select copied, x.name, x.value
  from tusk.xattrs x
  where x.owner_id = source;
  perform tusk.copy_file(e.id, copied, e.name)
  from (
    select f.id, f.filename as name
    from tusk.files f
    where f.folder_id = source
      and f.deleted_at is null
    union all
    select l.file_id, l.name
    from tusk.file_links l
    where l.folder_id = source) e;
  for each in
    select d.id, d.name
    from tusk.folders d
    where d.parent_id = source
      and d.deleted_at is null
  loop
    perform tusk.copy_folder(each.id, copied, each.name);
  end loop;
  return copied;
end
$$;

create or replace function tusk.purge_deleted(file_ids uuid[], folder_ids uuid[])
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform tusk.purge_files(array_agg(f.id))
  from tusk.files f
  where f.id = any (file_ids)
    and f.deleted_at is not null
    and f.tenant_id = tusk.current_tree()
    and not tusk.is_in_snapshot(
      f.tenant_id, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
  having count(*) > 0;
  -- Folders in which something stays in the trash stay with it.
  loop
    perform tusk.delete_folders(array_agg(d.id))
    from tusk.folders d
    where d.id = any (folder_ids)
      and d.deleted_at is not null
      and d.tenant_id = tusk.current_tree()
      and not tusk.is_in_snapshot(
        d.tenant_id, tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at))
      and not exists (select 1 from tusk.files f where f.folder_id = d.id)
      and not exists (select 1 from tusk.folders c where c.parent_id = d.id)
    having count(*) > 0;
    exit when not found;
  end loop;
end
$$;

create or replace function tusk.find(path text)
returns tusk.entry
language plpgsql
stable
as $$
declare
  at tusk.entry := tusk.entry_of(tusk.current_tree(), path);
begin
  if at.id is null then
    raise exception 'nothing is at %', quote_nullable(path)
      using errcode = 'undefined_file', hint = 'see tusk.list_folder';
  end if;
  return at;
end
$$;

create or replace function tusk.current_tree()
returns uuid
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('tusk.tenant', true), '')::uuid,
    (select t.id from tusk.tenants t where t.name = 'default'))
$$;
alter function tusk.current_tree() reset all;
comment on function tusk.current_tree() is
  'The tenant whose tree the functions of this session work in.';

drop function tusk.lends_chunk(uuid, uuid, bigint, bigint);
drop function tusk.grant_tenant(name, text);
drop function tusk.revoke_tenant(name, text);
drop function tusk.granted_trees();
drop function tusk.is_confined();
drop function tusk.acting_role();
drop table tusk.tenant_members;
