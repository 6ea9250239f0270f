-- Trees apart: which tree a role may use is granted (tusk.tenant_members), row-level security shows it
-- nothing else, and what triggers and functions do with the rights of the owner they do in that tree
-- alone. Who may update tusk.mounts (the owner, superusers, tusk_admin) sees all trees, as mounts do.
-- And quotas: a tree holds no more bytes and files than it may.

create table tusk.tenant_members (
  tenant_id uuid not null references tusk.tenants (id) on delete cascade,
  role_name name not null,
  primary key (tenant_id, role_name)
);
comment on table tusk.tenant_members is
  'Which roles may use which trees, besides those that see all: see tusk.grant_tenant. What they may do there is what they were granted on tables and functions, as by tusk.make_roles().';
comment on column tusk.tenant_members.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.tenant_members.role_name is 'A role; what it may use, its members may.';

alter table tusk.tenants
  add column quota_bytes bigint check (quota_bytes >= 0),
  add column quota_files bigint check (quota_files >= 0);
comment on column tusk.tenants.quota_bytes is 'The lengths of the tree''s files together are at most this; null: no limit. Versions and what is in the trash do not count. See tusk.set_quota.';
comment on column tusk.tenants.quota_files is 'At most this many files, folders, symbolic links … are in the tree, its root not counted; null: no limit.';

create table tusk.quota_turns (
  tenant_id uuid primary key references tusk.tenants (id) on delete cascade,
  writer xid8
) with (
  fillfactor = 50
);
comment on table tusk.quota_turns is
  'One row for each tree that has, or had, a quota. An SQL client that writes there updates it first: so one counts after the other, and what each counts is all there is.';
comment on column tusk.quota_turns.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.quota_turns.writer is 'The transaction whose turn it was last.';

create function tusk.acting_role()
returns name
language sql
stable
set search_path = ''
as $$
  select case
    when current_user <> pg_get_userbyid(c.relowner) then current_user
    else coalesce(nullif(current_setting('role'), 'none'), session_user)::name
  end
  from pg_catalog.pg_class c
  where c.oid = 'tusk.mounts'::regclass
$$;
comment on function tusk.acting_role() is
  'Whose trees count: the role that asks; where it asks with the rights of the owner, as triggers and some functions do, the one that the session has logged in with or set.';

create function tusk.is_confined()
returns boolean
language sql
stable
set search_path = ''
as $$
  select not has_table_privilege(tusk.acting_role(), 'tusk.mounts'::regclass, 'update')
$$;
comment on function tusk.is_confined() is
  'Whether the session sees no more than the trees that its role was granted.';

create function tusk.granted_trees()
returns setof uuid
language sql
stable
set search_path = ''
as $$
  select m.tenant_id
  from tusk.tenant_members m
  join pg_catalog.pg_roles r
    on r.rolname = m.role_name
  where pg_has_role(tusk.acting_role(), r.oid, 'usage')
$$;
comment on function tusk.granted_trees() is
  'The trees that the role of the session, or one that it is a member of, was granted.';

create or replace function tusk.current_tree()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted uuid := nullif(current_setting('tusk.tenant', true), '')::uuid;
  trees uuid[];
begin
  if not tusk.is_confined() then
    return coalesce(wanted, (select t.id from tusk.tenants t where t.name = 'default'));
  end if;
  trees := array(select distinct g.id from tusk.granted_trees() g(id));
  if wanted is not null then
    return case when wanted = any (trees) then wanted end;
  elsif cardinality(trees) = 1 then
    return trees[1];
  end if;
  return (select t.id from tusk.tenants t where t.name = 'default' and t.id = any (trees));
end
$$;
comment on function tusk.current_tree() is
  'The tenant whose tree this session works in: that of tusk.set_tenant, else the only one that its role was granted, else ''default''; null when that was not granted.';

create or replace function tusk.find(path text)
returns tusk.entry
language plpgsql
stable
as $$
declare
  tree uuid := tusk.current_tree();
  at tusk.entry := tusk.entry_of(tree, path);
begin
  if tree is null then
    raise exception 'role % has no tree to work in', quote_ident(tusk.acting_role())
      using errcode = 'insufficient_privilege',
        hint = 'tusk.grant_tenant(role, tenant) grants one; tusk.set_tenant chooses among several';
  elsif at.id is null then
    raise exception 'nothing is at %', quote_nullable(path)
      using errcode = 'undefined_file', hint = 'see tusk.list_folder';
  end if;
  return at;
end
$$;

create function tusk.grant_tenant(role_name name, tenant text)
returns void
language plpgsql
as $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = grant_tenant.role_name) then
    raise exception 'no role %', quote_literal(role_name)
      using errcode = 'undefined_object', hint = 'see CREATE ROLE';
  end if;
  insert into tusk.tenant_members (tenant_id, role_name)
  select t.id, grant_tenant.role_name
  from tusk.tenants t
  where t.name = grant_tenant.tenant
  on conflict do nothing;
  if not exists (select from tusk.tenants t where t.name = grant_tenant.tenant) then
    raise exception 'no tenant %', quote_literal(tenant)
      using errcode = 'invalid_parameter_value', hint = 'see tuskfs tenant list';
  end if;
end
$$;
comment on function tusk.grant_tenant(name, text) is
  'Lets a role, and its members, use the tree of a tenant.';

create function tusk.revoke_tenant(role_name name, tenant text)
returns void
language sql
as $$
  delete from tusk.tenant_members m
  using tusk.tenants t
  where t.id = m.tenant_id
    and t.name = revoke_tenant.tenant
    and m.role_name = revoke_tenant.role_name
$$;
comment on function tusk.revoke_tenant(name, text) is
  'Takes back what tusk.grant_tenant granted; no error when it did not.';

-- Policies. They hold no function that the one who asks could have replaced by one of his own: what
-- they call has a search_path of its own. Whoever sees all is told apart once a statement.

create function tusk.lends_chunk(tree uuid, file_id uuid, chunk_no bigint, version bigint)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (
    select 1
    from tusk.file_chunks c
    join tusk.files f
      on f.id = c.file_id
    where c.src_file_id = lends_chunk.file_id
      and c.src_chunk_no = lends_chunk.chunk_no
      and c.src_version = lends_chunk.version
      and f.tenant_id = tree)
$$;
comment on function tusk.lends_chunk(uuid, uuid, bigint, bigint) is
  'Whether a file of a tree shares the data of a chunk: of one whose own file may be gone.';

do $$
declare
  sees_all constant text := '(select has_table_privilege(''tusk.mounts''::regclass, ''update''))';
  own_file constant text := 'exists (select 1 from tusk.files f where f.id = %s)';
  own_folder constant text := 'exists (select 1 from tusk.folders d where d.id = %s)';
  each record;
begin
  for each in
    select c.relname as name, case
      when c.relname = 'tenants' then 'id in (select tusk.granted_trees())'
      when c.relname = 'tenant_members' then
        'role_name in (select r.rolname from pg_catalog.pg_roles r where pg_has_role(r.oid, ''usage''))'
      when c.relname = 'file_chunks' then format(own_file, 'file_id')
        || ' or retained and tusk.lends_chunk((select tusk.current_tree()), file_id, chunk_no, version)'
      when c.relname = 'file_versions' then format(own_file, 'file_id')
      when c.relname = 'file_links' then
        format(own_file, 'file_id') || ' and ' || format(own_folder, 'folder_id')
      when c.relname = 'xattrs' then
        format(own_file, 'owner_id') || ' or ' || format(own_folder, 'owner_id')
      when c.relname = 'path_history' then format(own_folder, 'folder_id')
      when exists (
        select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
      then 'tenant_id = (select tusk.current_tree())'
      else 'false'
    end as condition
    from pg_catalog.pg_class c
    where c.relnamespace = 'tusk'::regnamespace
      and c.relkind = 'r'
      and c.relname <> 'schema_migrations'
  loop
    execute format('alter table tusk.%I enable row level security, force row level security', each.name);
    execute format('create policy one_tree on tusk.%I using (%s or %s)', each.name, sees_all, each.condition);
  end loop;
end
$$;

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
  on t.id = e.tenant_id
where not (select tusk.is_confined())
  or t.id = (select tusk.current_tree());
-- What is asked of it is asked of rows that may be seen.
alter view tusk.trash set (security_barrier = true);
comment on view tusk.trash is
  'What is in the trash of every tree that the session sees: where it was, since when it is there, and who (a uid) deleted it.';

-- With the rights of the one who asks, these look no further than he may.
alter function tusk.policy_of(uuid) security invoker;
alter function tusk.lock_folder(uuid) security invoker;
alter function tusk.is_below(uuid, uuid) security invoker;

-- Before any trigger that has the rights of the owner: what a row refers to must be there for the one
-- who writes it. What is not his tree's is as what is nowhere.
create function tusk.admit_row()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  tree uuid := tusk.current_tree();
  of_tree uuid := tree;
  folder uuid;
  file uuid;
begin
  if tg_argv[0] = 'files' then
    of_tree := new.tenant_id;
    folder := new.folder_id;
  elsif tg_argv[0] = 'folders' then
    of_tree := coalesce(new.tenant_id, tree);
    folder := new.parent_id;
  else
    folder := new.folder_id;
    file := new.file_id;
  end if;
  if of_tree is distinct from tree or tree is null then
    raise exception 'this session does not work in tree %', of_tree
      using errcode = 'insufficient_privilege', hint = 'see tusk.set_tenant and tusk.grant_tenant';
  elsif folder is not null
    and not exists (select 1 from tusk.folders d where d.id = folder)
    and not exists (select 1 from tusk.tenants t where t.root_id = folder and t.id = tree)
  then
    raise exception 'folder % is not in the tree', folder
      using errcode = 'foreign_key_violation', hint = 'see tusk.folders';
  elsif file is not null and not exists (select 1 from tusk.files f where f.id = file) then
    raise exception 'file % is not in a tree', file using errcode = 'foreign_key_violation';
  end if;
  return new;
end
$$;
comment on function tusk.admit_row() is
  'Trigger: what sessions that see one tree write must be in it.';

create function tusk.admit_id()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if exists (select 1 from tusk.file_chunks c where c.file_id = new.id)
    and not exists (select 1 from tusk.files f where f.id = new.id)
  then
    raise exception 'id % is taken', new.id using errcode = 'unique_violation';
  end if;
  return new;
end
$$;
comment on function tusk.admit_id() is
  'Trigger: a new file of a session that sees one tree finds no chunks under its id, such as those of a content that a mount is writing.';

create trigger admit_id
before insert on tusk.files
for each row
when (not has_table_privilege('tusk.mounts'::regclass, 'update'))
execute function tusk.admit_id();
do $$
declare
  each text;
begin
  foreach each in array array['files', 'folders', 'file_links'] loop
    execute format(
      'create trigger admit_row before insert or update on tusk.%I
       for each row when (not has_table_privilege(''tusk.mounts''::regclass, ''update''))
       execute function tusk.admit_row(%L)', each, each);
  end loop;
end
$$;

-- The setting by which mounts keep the triggers from firing is anybody's to set: it counts only for
-- who may do without them.
do $$
declare
  is_driver constant text := 'current_setting(''tusk.driver''::text, true) IS DISTINCT FROM ''on''::text';
  each record;
begin
  for each in
    select g.tgname as name, g.tgrelid::regclass::text as "table", pg_get_triggerdef(g.oid) as definition
    from pg_catalog.pg_trigger g
    join pg_catalog.pg_class c
      on c.oid = g.tgrelid
    where c.relnamespace = 'tusk'::regnamespace
      and not g.tgisinternal
      and strpos(pg_get_triggerdef(g.oid), is_driver) > 0
  loop
    execute format('drop trigger %I on %s', each.name, each."table");
    execute replace(each.definition, is_driver, is_driver
      || ' or not has_table_privilege(''tusk.mounts''::regclass, ''update'')');
  end loop;
end
$$;

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
  -- A folder of another tree is not even locked.
  is_in_tree := exists (
      select 1
      from tusk.folders d
      where d.id = enter_name.folder
        and d.tenant_id = enter_name.tree)
    or exists (
      select 1
      from tusk.tenants t
      where t.root_id = enter_name.folder
        and t.id = enter_name.tree);
  -- With the folder's row locked nobody else enters the same name, be it in another table.
  if not (is_in_tree and tusk.lock_folder(folder)) then
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
  perform tusk.begin_write();
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
  if not found then
    raise exception 'file % or folder % is not in the tree', source, folder
      using errcode = 'foreign_key_violation', hint = 'see tusk.files and tusk.folders';
  end if;
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
  perform tusk.begin_write();
  insert into tusk.folders (tenant_id, parent_id, name, mode, uid, gid, mtime_ns)
  select d.tenant_id, copy_folder.folder, copy_folder.name, d.mode, d.uid, d.gid, d.mtime_ns
  from tusk.folders d
  where d.id = source
    and d.tenant_id = tusk.current_tree()
  returning id into copied;
  if not found then
    raise exception 'folder % is not in the tree', source
      using errcode = 'foreign_key_violation', hint = 'see tusk.folders';
  end if;
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

-- Quotas.

create index usage_pending_tenant on tusk.usage_pending (tenant_id);

create function tusk.set_quota(tenant text, bytes bigint default null, files bigint default null)
returns void
language plpgsql
as $$
declare
  tree uuid := (select t.id from tusk.tenants t where t.name = set_quota.tenant);
begin
  if tree is null then
    raise exception 'no tenant %', quote_literal(tenant)
      using errcode = 'invalid_parameter_value', hint = 'see tuskfs tenant list';
  elsif least(bytes, files) < 0 then
    raise exception 'a quota cannot be negative' using errcode = 'invalid_parameter_value';
  end if;
  insert into tusk.quota_turns (tenant_id) values (tree) on conflict do nothing;
  update tusk.tenants t
  set quota_bytes = set_quota.bytes, quota_files = set_quota.files
  where t.id = tree;
end
$$;
comment on function tusk.set_quota(text, bigint, bigint) is
  'How many bytes and how many files, folders and links the tree of a tenant may hold; null: no limit. Lower than what is there: nothing is added until enough is gone. A live mount takes it up within a second.';

create function tusk.take_quota_turns()
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  trees uuid[] := array(
    select t.id
    from tusk.tenants t
    where t.quota_bytes is not null
      or t.quota_files is not null
    order by t.id);
  tree uuid;
begin
  if cardinality(trees) > 0 and tusk.is_confined() then
    tree := tusk.current_tree();
    trees := case when tree = any (trees) then array[tree] else '{}' end;
  end if;
  -- In one order, and before any row is locked, so that no two wait for each other.
  foreach tree in array trees loop
    update tusk.quota_turns q
    set writer = pg_current_xact_id()
    where q.tenant_id = tree
      and q.writer is distinct from pg_current_xact_id();
  end loop;
end
$$;
comment on function tusk.take_quota_turns() is
  'Waits until no other SQL transaction writes in the trees with a quota that this one may write in.';

alter function tusk.begin_write() rename to await_mounts;
create function tusk.begin_write()
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if current_setting('tusk.driver', true) = 'on' and tusk.is_confined() then
    perform set_config('tusk.driver', '', true);
  end if;
  perform tusk.await_mounts();
  perform tusk.take_quota_turns();
end
$$;
comment on function tusk.begin_write() is
  'Waits until mounts, and where there is a quota other SQL clients, let this transaction write. The functions that change something begin with it, and so find what others wrote.';
comment on function tusk.await_mounts() is
  'Waits until mounts have committed what they have and let this transaction write.';

create or replace function tusk.purge_deleted(file_ids uuid[], folder_ids uuid[])
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform tusk.begin_write();
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

create function tusk.fold_pending_usage(tree uuid)
returns void
language sql
as $$
  with folded as (
    delete from tusk.usage_pending p
    where p.tenant_id = tree
    returning p.files, p.folders, p.bytes
  )
  insert into tusk.usage_pending (tenant_id, files, folders, bytes)
  select tree, sum(f.files), sum(f.folders), sum(f.bytes)
  from folded f
  having count(*) > 0
$$;
comment on function tusk.fold_pending_usage(uuid) is
  'Makes one row of what SQL clients added to a tree''s counters.';

create function tusk.check_quota(tree uuid, more_files bigint, more_bytes bigint)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  quota record;
  used record;
begin
  select t.name, t.quota_files as files, t.quota_bytes as bytes into quota
  from tusk.tenants t
  where t.id = tree
    and (t.quota_files is not null and more_files > 0 or t.quota_bytes is not null and more_bytes > 0);
  if not found then
    return;
  end if;
  perform tusk.take_quota_turns();
  if current_setting('transaction_isolation') <> 'read committed' then
    -- Counters that changed since the snapshot are an error of serialization, not a wrong sum.
    perform 1 from tusk.mounts m where m.tenant_id = tree for share;
  end if;
  select
    coalesce(max(m.files + m.folders - 1), 0) + coalesce(max(p.files), 0) as files,
    coalesce(max(m.bytes), 0) + coalesce(max(p.bytes), 0) as bytes,
    coalesce(max(p.parts), 0) as parts
  into used
  from (
    select sum(n.files + n.folders) as files, sum(n.bytes) as bytes, count(*) as parts
    from tusk.usage_pending n
    where n.tenant_id = tree) p
  left join tusk.mounts m
    on m.tenant_id = tree;
  if more_files > 0 and used.files > quota.files then
    raise exception 'the quota of tenant % is % files and folders: % would be too many',
      quote_literal(quota.name), quota.files, used.files
      using errcode = 'configuration_limit_exceeded', hint = 'delete some; see tuskfs tenant quota';
  elsif more_bytes > 0 and used.bytes > quota.bytes then
    raise exception 'the quota of tenant % is % bytes: % would be too many',
      quote_literal(quota.name), quota.bytes, used.bytes
      using errcode = 'configuration_limit_exceeded',
        hint = 'delete something, also for good if it must be kept nowhere; see tuskfs tenant quota';
  end if;
  if used.parts > 50 then
    perform tusk.fold_pending_usage(tree);
  end if;
end
$$;
comment on function tusk.check_quota(uuid, bigint, bigint) is
  'Refuses what an SQL client has just added to a tree, by how much it grew, where it is more than the quota allows: error 53400.';

create function tusk.keep_quota()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if tg_argv[0] = 'files' and tg_op = 'INSERT' then
    perform tusk.check_quota(n.tenant_id, count(*), sum(n.size_bytes)::bigint)
    from entered n
    where n.deleted_at is null
    group by n.tenant_id;
  elsif tg_argv[0] = 'files' then
    perform tusk.check_quota(c.tenant_id, sum(c.files)::bigint, sum(c.bytes)::bigint)
    from (
      select n.tenant_id, 1 as files, n.size_bytes as bytes
      from entered n
      where n.deleted_at is null
      union all
      select o.tenant_id, -1, -o.size_bytes
      from was o
      where o.deleted_at is null) c
    group by c.tenant_id;
  elsif tg_op = 'INSERT' then
    perform tusk.check_quota(n.tenant_id, count(*), 0)
    from entered n
    where n.deleted_at is null
      and n.parent_id <> n.id
    group by n.tenant_id;
  else
    perform tusk.check_quota(c.tenant_id, sum(c.folders)::bigint, 0)
    from (
      select n.tenant_id, 1 as folders
      from entered n
      where n.deleted_at is null
      union all
      select o.tenant_id, -1
      from was o
      where o.deleted_at is null) c
    group by c.tenant_id;
  end if;
  return null;
end
$$;
comment on function tusk.keep_quota() is
  'Trigger: a tree grows by an SQL client no further than its quota.';

do $$
declare
  each record;
begin
  for each in
    select *
    from (values ('files'), ('folders')) t (name)
    cross join (values
      ('insert', 'new table as entered'),
      ('update', 'old table as was new table as entered')) e (event, tables)
  loop
    execute format(
      'create trigger keep_quota_%s after %1$s on tusk.%I referencing %s for each statement
       when (current_setting(''tusk.driver'', true) is distinct from ''on''
         or not has_table_privilege(''tusk.mounts''::regclass, ''update''))
       execute function tusk.keep_quota(%L)', each.event, each.name, each.tables, each.name);
  end loop;
end
$$;

create function tusk.check_usage(tenant text default null, repair boolean default false)
returns table (
  tenant_name text, files bigint, folders bigint, bytes bigint, live_files bigint,
  live_folders bigint, live_bytes bigint
)
language plpgsql
as $$
begin
  if repair then
    perform tusk.begin_write();
  end if;
  return query
    with usage as materialized (
      select t.id, t.name,
        coalesce(m.files, 0) + p.files as files, coalesce(m.folders, 1) + p.folders as folders,
        coalesce(m.bytes, 0) + p.bytes as bytes, f.files as live_files,
        d.folders + 1 as live_folders, f.bytes as live_bytes
      from tusk.tenants t
      left join tusk.mounts m
        on m.tenant_id = t.id
      cross join lateral (
        select coalesce(sum(n.files), 0)::bigint as files,
          coalesce(sum(n.folders), 0)::bigint as folders,
          coalesce(sum(n.bytes), 0)::bigint as bytes
        from tusk.usage_pending n
        where n.tenant_id = t.id) p
      cross join lateral (
        select count(*) as files, coalesce(sum(e.size_bytes), 0)::bigint as bytes
        from tusk.files e
        where e.tenant_id = t.id
          and e.deleted_at is null) f
      cross join lateral (
        select count(*) as folders
        from tusk.folders e
        where e.tenant_id = t.id
          and e.deleted_at is null
          and e.parent_id <> e.id) d
      where check_usage.tenant is null
        or t.name = check_usage.tenant
    ), repaired as (
      insert into tusk.usage_pending (tenant_id, files, folders, bytes)
      select u.id, u.live_files - u.files, u.live_folders - u.folders, u.live_bytes - u.bytes
      from usage u
      where repair
        and (u.files, u.folders, u.bytes) <> (u.live_files, u.live_folders, u.live_bytes)
    )
    select u.name, u.files, u.folders, u.bytes, u.live_files, u.live_folders, u.live_bytes
    from usage u
    order by u.name;
end
$$;
comment on function tusk.check_usage(text, boolean) is
  'Counts the rows of all trees, or of one, in one moment: what their counters say, and what is there. With repair what differs is noted as a change of an SQL client''s, which a live mount takes up as such.';

-- Roles.

alter function tusk.make_roles() rename to grant_to_roles;
comment on function tusk.grant_to_roles() is 'Part of tusk.make_roles(): the roles, and what is theirs in a tree.';
create function tusk.make_roles()
returns void
language plpgsql
as $$
declare
  given record;
begin
  perform tusk.grant_to_roles();
  for given in
    select r.rolname, w.what
    from pg_catalog.pg_roles r
    cross join (values
      ('select on tusk.tenant_members'),
      ('execute on function tusk.acting_role(), tusk.is_confined(), tusk.granted_trees(),
        tusk.lends_chunk(uuid, uuid, bigint, bigint)')) w (what)
    where r.rolname in ('tusk_reader', 'tusk_writer')
  loop
    execute format('grant %s to %I', given.what, given.rolname);
  end loop;
end
$$;
comment on function tusk.make_roles() is
  'Makes the roles tusk_reader, tusk_writer and tusk_admin where the server lacks them, and gives them their rights in this database; which tree a reader or writer works in, tusk.grant_tenant says. Needs the right to make roles. Databases that a dump is restored to need these roles first.';

revoke all on all functions in schema tusk from public;
revoke all on all tables in schema tusk from public;

-- Where the roles have been made already.
do $$
begin
  if exists (
    select
    from pg_catalog.pg_roles r
    where r.rolname = 'tusk_reader'
      and has_schema_privilege(r.oid, 'tusk', 'usage')
      and not r.rolsuper)
  then
    perform tusk.make_roles();
  end if;
end
$$;
