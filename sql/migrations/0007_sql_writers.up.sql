-- INSERT, UPDATE and DELETE of SQL clients on the tables do to the tree what the same done through a
-- mount does: names are checked, what is overwritten becomes a version, what is deleted goes to the
-- trash, folders and counters follow. None of these triggers fires in the sessions of mounts.

comment on column tusk.tenants.policy is
  'What the root of the tree sets: versions (how many a file; 0: none), version_age, version_interval and trash (seconds; trash 0: deleted at once), inline_below and external_above (bytes), on_reference (refuse, the default: what rows of applications refer to cannot be deleted; trash: it goes to the trash and stays there). Keys that are missing have the defaults. Folders override all but the last by extended attributes user.tusk.policy.KEY, whose values are decimal digits.';

create function tusk.clock_ns()
returns bigint
language sql
volatile
parallel safe
as $$
  select (extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000
$$;
comment on function tusk.clock_ns() is
  'Now, in nanoseconds since 1970; tusk.now_ns() is when the transaction began, which may be before what it had to wait for.';

create function tusk.policy_of(folder uuid)
returns table (versions bigint, version_age_ns bigint, version_interval_ns bigint, trash_ns bigint)
language sql
stable
security definer
set search_path = ''
as $$
  with recursive up as (
    select d.id, d.parent_id, d.tenant_id, 0 as distance
    from tusk.folders d
    where d.id = policy_of.folder
    union all
    select d.id, d.parent_id, d.tenant_id, u.distance + 1
    from up u
    join tusk.folders d
      on d.id = u.parent_id
    where u.parent_id <> u.id
      and u.distance < 10000
  ), nearest as (
    select distinct on (x.name)
      substring(x.name from 18) as key,
      least(encode(x.value, 'escape')::bigint, 100 * 366 * 86400::bigint) as value
    from up u
    join tusk.xattrs x
      on x.owner_id = u.id
    where u.parent_id <> u.id
      and x.name >= 'user.tusk.policy.'
      and x.name < 'user.tusk.policy/'
      and encode(x.value, 'escape') ~ '^[0-9]{1,15}$'
    order by x.name, u.distance
  ), own as (
    select
      max(n.value) filter (where n.key = 'versions') as versions,
      max(n.value) filter (where n.key = 'version_age') * 1000000000 as version_age_ns,
      max(n.value) filter (where n.key = 'version_interval') * 1000000000 as version_interval_ns,
      max(n.value) filter (where n.key = 'trash') * 1000000000 as trash_ns
    from nearest n
  )
  select
    coalesce(o.versions, p.versions),
    coalesce(o.version_age_ns, p.version_age_ns),
    coalesce(o.version_interval_ns, p.version_interval_ns),
    coalesce(o.trash_ns, p.trash_ns)
  from own o
  cross join tusk.policy(
    (select d.tenant_id from tusk.folders d where d.id = policy_of.folder)) p
$$;
comment on function tusk.policy_of(uuid) is
  'The policy that holds in a folder: one row, times in nanoseconds.';

create function tusk.keeps_trash(tree uuid, folder uuid)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  -- The folder itself may be going, in the same statement.
  select coalesce(
    (select p.trash_ns from tusk.policy_of(folder) p),
    (select p.trash_ns from tusk.policy(tree) p)) > 0
$$;
comment on function tusk.keeps_trash(uuid, uuid) is
  'Whether what is deleted in a folder goes to the trash.';

-- Names.

create function tusk.lock_folder(folder uuid)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform 1
  from tusk.folders d
  where d.id = lock_folder.folder
    and d.deleted_at is null
  for no key update;
  if found then
    return true;
  end if;
  -- A tree that was never mounted has no root yet. The first mount makes it its user's.
  insert into tusk.folders (id, tenant_id, parent_id, name)
  select t.root_id, t.id, t.root_id, ''
  from tusk.tenants t
  where t.root_id = lock_folder.folder
  on conflict do nothing;
  return found;
end
$$;
comment on function tusk.lock_folder(uuid) is
  'Keeps others from taking or leaving names in a folder until the end of the transaction; false when it is not in a tree.';

create function tusk.enter_name(tree uuid, folder uuid, entry uuid, name text)
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
comment on function tusk.enter_name(uuid, uuid, uuid, text) is
  'Refuses a name that a folder cannot hold or that something else there has, and keeps others from taking it until the end of the transaction.';

create function tusk.check_attributes(mode integer, is_folder boolean, uid bigint, gid bigint)
returns void
language plpgsql
immutable
as $$
begin
  if mode is null
    or mode not between 0 and 65535
    or is_folder <> (mode >> 12 = 4)
    or mode >> 12 not in (1, 2, 4, 6, 8, 10, 12)
  then
    raise exception 'mode % is not that of a %', mode, case when is_folder then 'folder' else 'file' end
      using errcode = 'check_violation',
        hint = 'the type counts too: 33188 is a file with 0644, 16877 a folder with 0755';
  elsif uid is null or gid is null or least(uid, gid) < 0 or greatest(uid, gid) > 4294967294 then
    raise exception 'owner % and group % are not numbers from 0 to 4294967294', uid, gid
      using errcode = 'check_violation';
  end if;
end
$$;
comment on function tusk.check_attributes(integer, boolean, bigint, bigint) is
  'Refuses types, permissions and owners that no mount can show.';

create function tusk.end_name(
  folder uuid, entry uuid, is_folder boolean, since_ns bigint, until_ns bigint, name text)
returns void
language sql
security definer
set search_path = ''
as $$
  insert into tusk.path_history (folder_id, entry_id, is_folder, since_ns, until_ns, name)
  select folder, entry, is_folder, since_ns, until_ns, name
  where since_ns < until_ns
  on conflict do nothing
$$;
comment on function tusk.end_name(uuid, uuid, boolean, bigint, bigint, text) is
  'Notes for history that a name ended.';

-- What rows of applications refer to.

create function tusk.reference_to(entry uuid)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  name text;
  referrer text;
begin
  if not exists (
    select 1
    from pg_catalog.pg_constraint c
    where c.contype = 'f'
      and c.confrelid in ('tusk.files'::regclass, 'tusk.folders'::regclass))
  then
    return null;
  end if;
  -- Deleting finds out, whosever the tables are; raising takes back what it did.
  perform pg_catalog.set_config('tusk.driver', 'on', true);
  delete from tusk.files where id = entry;
  delete from tusk.folders where id = entry;
  raise exception using errcode = 'TF010';
exception
  when foreign_key_violation then
    get stacked diagnostics name = constraint_name, referrer = table_name;
    return name || ' of ' || referrer;
  when sqlstate 'TF010' then
    return null;
end
$$;
comment on function tusk.reference_to(uuid) is
  'The constraint by which a row of an application keeps a file or folder from being deleted, and its table; null when there is none.';

create function tusk.refuse_if_referenced(tree uuid, entry uuid, name text)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  constraint_of_table text;
begin
  if (select t.policy->>'on_reference' from tusk.tenants t where t.id = tree) = 'trash' then
    return;
  end if;
  constraint_of_table := tusk.reference_to(entry);
  if constraint_of_table is not null then
    raise exception '% is referred to: %', quote_literal(name), constraint_of_table
      using errcode = 'foreign_key_violation',
        hint = 'delete the rows that refer to it first, or let the tree''s policy have on_reference = trash';
  end if;
end
$$;
comment on function tusk.refuse_if_referenced(uuid, uuid, text) is
  'Ends with an error when rows of applications refer to a file or folder and the policy of its tree does not let it go to the trash.';

-- Files.

create or replace function tusk.complete_file()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.folder_id is null then
    select t.root_id into new.folder_id from tusk.tenants t where t.id = new.tenant_id;
    if new.folder_id is null then
      raise exception 'no tenant %', new.tenant_id
        using errcode = 'foreign_key_violation', hint = 'see tusk.tenants';
    end if;
  end if;
  if new.deleted_at is null then
    perform tusk.enter_name(new.tenant_id, new.folder_id, new.id, new.filename);
  end if;
  perform tusk.check_attributes(new.mode, false, new.uid, new.gid);
  if new.data is null and new.storage_type = 'db' and coalesce(new.size_bytes, 0) = 0 then
    new.data := ''::bytea;
  end if;
  if new.data is not null then
    new.size_bytes := octet_length(new.data);
  end if;
  return new;
end
$$;

create function tusk.keep_version(before tusk.files, at_ns bigint)
returns boolean
language plpgsql
security definer
set search_path = ''
as $$
declare
  p record;
begin
  select * into p from tusk.policy_of(before.folder_id);
  if p.versions is null
    or p.versions <= 0
    or (at_ns - before.content_at_ns < p.version_interval_ns
      and not tusk.is_in_snapshot(before.tenant_id, before.content_at_ns, at_ns))
  then
    return false;
  end if;
  insert into tusk.file_versions (
    file_id, version, size_bytes, content_at_ns, until_ns, mtime_ns, uid, mode, mime_type,
    storage_type, external_url, checksum, holes, data)
  values (
    before.id, before.version, before.size_bytes, before.content_at_ns, at_ns, before.mtime_ns,
    before.uid, before.mode, before.mime_type, before.storage_type, before.external_url,
    before.checksum, before.holes, before.data)
  on conflict do nothing;
  return true;
end
$$;
comment on function tusk.keep_version(tusk.files, bigint) is
  'Makes a content that is about to be overwritten a version; false when by policy it becomes none, as what follows within the version interval.';

create function tusk.change_content(before tusk.files, after tusk.files)
returns tusk.files
language plpgsql
security definer
set search_path = ''
as $$
declare
  at_ns bigint := greatest(tusk.clock_ns(), before.content_at_ns + 1000);
begin
  if after.data is null and after.storage_type = 'db' and before.data is not null then
    after.data := ''::bytea;
  end if;
  if after.data is not null then
    after.size_bytes := octet_length(after.data);
    after.storage_type := 'db';
    after.external_url := null;
    after.holes := null;
  end if;
  if after.checksum = before.checksum then
    after.checksum := null;
  end if;
  after.version := greatest(after.version, before.version + 1);
  if after.mtime_ns = before.mtime_ns then
    after.mtime_ns := at_ns;
  end if;
  if tusk.keep_version(before, at_ns) then
    after.content_at_ns := at_ns;
  end if;
  return after;
end
$$;
comment on function tusk.change_content(tusk.files, tusk.files) is
  'What the row of a file becomes when an SQL client gives it another content: the length and version that go with it, no checksum (PostgreSQL cannot make it).';

create function tusk.change_file()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  at_ns bigint := greatest(tusk.clock_ns(), old.named_at_ns + 1000);
begin
  if new.id <> old.id or new.tenant_id <> old.tenant_id then
    raise exception 'a file keeps its id and its tree'
      using errcode = 'feature_not_supported', hint = 'copy it, and delete the first';
  end if;
  perform tusk.check_attributes(new.mode, false, new.uid, new.gid);

  if (new.data, new.storage_type, new.external_url)
    is distinct from (old.data, old.storage_type, old.external_url)
    or new.version > old.version and new.data is not null
  then
    new := tusk.change_content(old, new);
  elsif (new.size_bytes, new.version, new.holes)
    is distinct from (old.size_bytes, old.version, old.holes)
  then
    raise exception 'the length, version and holes of a file go with its content'
      using errcode = 'invalid_parameter_value', hint = 'change data, or call tusk.write_file';
  end if;

  if new.deleted_at is not null and old.deleted_at is null then
    perform tusk.refuse_if_referenced(old.tenant_id, old.id, old.filename);
    new.deleted_by := coalesce(new.deleted_by, 0);
  elsif new.deleted_at is null and old.deleted_at is not null then
    perform tusk.enter_name(new.tenant_id, new.folder_id, new.id, new.filename);
    perform tusk.end_name(
      old.folder_id, old.id, false, old.named_at_ns, tusk.timestamp_to_ns(old.deleted_at),
      old.filename);
    new.deleted_by := null;
    new.nlink := 1;
    if new.named_at_ns = old.named_at_ns then
      new.named_at_ns := at_ns;
    end if;
  elsif new.deleted_at is null
    and (new.folder_id, new.filename) is distinct from (old.folder_id, old.filename)
  then
    perform tusk.enter_name(new.tenant_id, new.folder_id, new.id, new.filename);
    perform tusk.end_name(old.folder_id, old.id, false, old.named_at_ns, at_ns, old.filename);
    new.named_at_ns := at_ns;
  end if;

  if new.ctime_ns = old.ctime_ns and new is distinct from old then
    new.ctime_ns := greatest(tusk.clock_ns(), old.ctime_ns);
  end if;
  return new;
end
$$;
comment on function tusk.change_file() is
  'Trigger: what goes with a change of a file''s content, name or place by an SQL client.';

create trigger change_file
before update on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.change_file();

create function tusk.stays_in_trash(deleted_at timestamptz, deleted_by bigint, name text)
returns boolean
language plpgsql
stable
as $$
begin
  if deleted_at is null or deleted_by is null then
    return false;
  elsif deleted_at < now() - interval '1 second' then
    raise exception '% is in the trash', quote_literal(name)
      using errcode = 'object_not_in_prerequisite_state',
        hint = 'tusk.trash_purge() removes for good what is there';
  end if;
  return true;
end
$$;
comment on function tusk.stays_in_trash(timestamptz, bigint, text) is
  'Whether a DELETE finds a row in the trash that was in the tree when its statement began: somebody else deleted it meanwhile, and that is that. What was in the trash before is refused; purging takes its deleted_by first.';

create function tusk.finish_file()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if old.deleted_at is null and tusk.keeps_trash(old.tenant_id, old.folder_id) then
    old.deleted_at := clock_timestamp();
    old.deleted_by := 0;
  elsif not tusk.stays_in_trash(old.deleted_at, old.deleted_by, old.filename) then
    return null;
  end if;
  insert into tusk.files select old.*;
  return null;
end
$$;
comment on function tusk.finish_file() is
  'Trigger: a file that an SQL client deleted goes to the trash, or for good where the policy keeps none.';

create trigger finish_file
after delete on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.finish_file();

create or replace function tusk.count_file()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- What is in the trash is not counted.
  if tg_op in ('UPDATE', 'DELETE') and old.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, -1, 0, -old.size_bytes);
  end if;
  if tg_op in ('UPDATE', 'INSERT') and new.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 1, 0, new.size_bytes);
  end if;
  return null;
end
$$;
comment on function tusk.count_file() is
  'Trigger: notes what an SQL client adds to or takes from the counters of a tree.';

create function tusk.forget_files(file_ids uuid[])
returns void
language plpgsql
as $$
begin
  delete from tusk.file_versions where file_id = any (file_ids);
  delete from tusk.path_history where entry_id = any (file_ids);
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
comment on function tusk.forget_files(uuid[]) is
  'Removes what belonged to files whose rows are gone: versions, names, extended attributes, staging, chunks.';

create or replace function tusk.delete_files(file_ids uuid[])
returns void
language plpgsql
as $$
begin
  if current_setting('tusk.driver', true) = 'on' then
    delete from tusk.files where id = any (file_ids);
    perform tusk.forget_files(file_ids);
    return;
  end if;
  -- Without deleted_by it does not stay in the trash; the triggers do the rest.
  update tusk.files
  set deleted_at = clock_timestamp()
  where id = any (file_ids)
    and deleted_at is null;
  update tusk.files
  set deleted_by = null
  where id = any (file_ids);
  delete from tusk.files where id = any (file_ids);
end
$$;

-- Folders.

create function tusk.is_below(folder uuid, ancestor uuid)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  with recursive up as (
    select d.id, d.parent_id
    from tusk.folders d
    where d.id = folder
    union
    select d.id, d.parent_id
    from up u
    join tusk.folders d
      on d.id = u.parent_id
  )
  select exists (select 1 from up u where u.id = ancestor)
$$;
comment on function tusk.is_below(uuid, uuid) is
  'Whether a folder is another one, or lies anywhere below it.';

create function tusk.complete_folder()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new.deleted_at is not null then
    return new;
  elsif new.parent_id = new.id then
    if not exists (
      select 1 from tusk.tenants t where t.root_id = new.id and t.id = new.tenant_id)
    then
      raise exception 'a folder cannot be in itself' using errcode = 'check_violation';
    end if;
    return new;
  elsif new.parent_id is null then
    select t.root_id into new.parent_id from tusk.tenants t where t.id = new.tenant_id;
  elsif new.tenant_id is null then
    select d.tenant_id into new.tenant_id from tusk.folders d where d.id = new.parent_id;
  end if;
  perform tusk.enter_name(new.tenant_id, new.parent_id, new.id, new.name);
  perform tusk.check_attributes(new.mode, true, new.uid, new.gid);
  new.nlink := 2;
  return new;
end
$$;
comment on function tusk.complete_folder() is
  'Trigger: fills in what an insert by an SQL client leaves out, and refuses names that the parent cannot hold.';

create trigger complete_folder
before insert on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.complete_folder();

create function tusk.change_folder()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  at_ns bigint := greatest(tusk.clock_ns(), old.named_at_ns + 1000);
begin
  if new.id <> old.id or new.tenant_id <> old.tenant_id then
    raise exception 'a folder keeps its id and its tree' using errcode = 'feature_not_supported';
  end if;
  perform tusk.check_attributes(new.mode, true, new.uid, new.gid);
  if old.parent_id = old.id
    and (new.parent_id, new.name, new.deleted_at) is distinct from (old.parent_id, old.name, null)
  then
    raise exception 'the root of a tree stays where it is'
      using errcode = 'invalid_parameter_value';
  end if;

  if new.deleted_at is not null and old.deleted_at is null then
    perform tusk.refuse_if_referenced(old.tenant_id, old.id, old.name);
    new.deleted_by := coalesce(new.deleted_by, 0);
  elsif new.deleted_at is null
    and (new.parent_id, new.name, new.deleted_at)
      is distinct from (old.parent_id, old.name, old.deleted_at)
  then
    if new.parent_id <> old.parent_id then
      -- Two that move at once could else move each into the other.
      perform pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('tuskfs folders ' || new.tenant_id::text, 0));
      if tusk.is_below(new.parent_id, new.id) then
        raise exception '% cannot be moved into itself', quote_literal(old.name)
          using errcode = 'invalid_parameter_value';
      end if;
    end if;
    perform tusk.enter_name(new.tenant_id, new.parent_id, new.id, new.name);
    if old.deleted_at is null then
      perform tusk.end_name(old.parent_id, old.id, true, old.named_at_ns, at_ns, old.name);
      new.named_at_ns := at_ns;
    else
      perform tusk.end_name(
        old.parent_id, old.id, true, old.named_at_ns, tusk.timestamp_to_ns(old.deleted_at),
        old.name);
      new.deleted_by := null;
      new.nlink := 2;
      if new.named_at_ns = old.named_at_ns then
        new.named_at_ns := at_ns;
      end if;
    end if;
  end if;

  if new.ctime_ns = old.ctime_ns and new is distinct from old then
    new.ctime_ns := greatest(tusk.clock_ns(), old.ctime_ns);
  end if;
  return new;
end
$$;
comment on function tusk.change_folder() is
  'Trigger: what goes with a change of a folder''s name or place by an SQL client.';

create trigger change_folder
before update on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.change_folder();

create function tusk.finish_folder()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  if old.parent_id = old.id then
    if exists (select 1 from tusk.tenants t where t.root_id = old.id) then
      raise exception 'the root of a tree stays where it is'
        using errcode = 'invalid_parameter_value', hint = 'see tuskfs tenant remove';
    end if;
    return null;
  elsif old.deleted_at is null and tusk.keeps_trash(old.tenant_id, old.parent_id) then
    old.deleted_at := clock_timestamp();
    old.deleted_by := 0;
  elsif not tusk.stays_in_trash(old.deleted_at, old.deleted_by, old.name) then
    return null;
  end if;
  insert into tusk.folders select old.*;
  return null;
end
$$;
comment on function tusk.finish_folder() is
  'Trigger: a folder that an SQL client deleted goes to the trash, or for good where the policy keeps none.';

create trigger finish_folder
after delete on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.finish_folder();

create or replace function tusk.count_folder()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Roots are counted from the start.
  if tg_op in ('UPDATE', 'DELETE') and old.deleted_at is null and old.parent_id <> old.id then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, 0, -1, 0);
  end if;
  if tg_op in ('UPDATE', 'INSERT') and new.deleted_at is null and new.parent_id <> new.id then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 0, 1, 0);
  end if;
  return null;
end
$$;

create function tusk.forget_folders(folder_ids uuid[])
returns void
language sql
as $$
  delete from tusk.path_history where entry_id = any (folder_ids);
  delete from tusk.path_history where folder_id = any (folder_ids);
  delete from tusk.xattrs where owner_id = any (folder_ids);
$$;
comment on function tusk.forget_folders(uuid[]) is
  'Removes what belonged to folders whose rows are gone: names and extended attributes.';

create or replace function tusk.delete_folders(folder_ids uuid[])
returns void
language plpgsql
as $$
begin
  if current_setting('tusk.driver', true) = 'on' then
    delete from tusk.folders where id = any (folder_ids);
    perform tusk.forget_folders(folder_ids);
    return;
  end if;
  update tusk.folders
  set deleted_at = clock_timestamp()
  where id = any (folder_ids)
    and deleted_at is null
    and parent_id <> id;
  update tusk.folders
  set deleted_by = null
  where id = any (folder_ids);
  delete from tusk.folders where id = any (folder_ids);
end
$$;

-- What follows from entries that came, went or moved, once a statement.

create function tusk.touch_folders(parents uuid[], came_or_went integer[])
returns void
language sql
security definer
set search_path = ''
as $$
  update tusk.folders d
  set
    mtime_ns = greatest(tusk.clock_ns(), d.mtime_ns),
    ctime_ns = greatest(tusk.clock_ns(), d.ctime_ns),
    nlink = d.nlink + t.subfolders
  from (
    select e.parent, sum(e.subfolders)::integer as subfolders
    from unnest(parents, came_or_went) as e(parent, subfolders)
    group by e.parent) t
  where d.id = t.parent
$$;
comment on function tusk.touch_folders(uuid[], integer[]) is
  'Sets the times of folders whose entries changed, and counts the subfolders that came or went; parallel arrays.';

create function tusk.follow_files()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  parents uuid[];
  nameless uuid[];
  rewritten uuid[];
  forgotten uuid[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct n.folder_id) into parents from entered n where n.deleted_at is null;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct o.folder_id), array_agg(o.id) into parents, nameless
    from was o
    where o.deleted_at is null;
    select array_agg(o.id) into forgotten
    from was o
    where not exists (select 1 from tusk.files f where f.id = o.id);
  else
    select array_agg(distinct c.folder_id) into parents
    from was o
    join entered n
      on n.id = o.id
    cross join lateral (values (o.folder_id), (n.folder_id)) c(folder_id)
    where (o.folder_id, o.filename, o.deleted_at is null)
      is distinct from (n.folder_id, n.filename, n.deleted_at is null);
    select
      array_agg(n.id) filter (where o.deleted_at is null and n.deleted_at is not null),
      array_agg(n.id) filter (where o.version <> n.version)
    into nameless, rewritten
    from was o
    join entered n
      on n.id = o.id;
  end if;
  if parents is not null then
    perform tusk.touch_folders(parents, array_fill(0, array[cardinality(parents)]));
  end if;
  -- What is deleted loses all its names; those that are further ones end for good.
  delete from tusk.file_links l where l.file_id = any (nameless);
  if rewritten is not null then
    perform tusk.sweep_chunks(rewritten);
  end if;
  if forgotten is not null then
    perform tusk.forget_files(forgotten);
  end if;
  return null;
end
$$;
comment on function tusk.follow_files() is
  'Trigger: the folders of files that came, went or moved have new times; what belonged to files that are gone, and chunks that no content needs any more, go.';

create function tusk.follow_folders()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  parents uuid[];
  subfolders integer[];
  gone uuid[];
  forgotten uuid[];
begin
  if tg_op = 'INSERT' then
    select array_agg(n.parent_id), array_agg(1) into parents, subfolders
    from entered n
    where n.deleted_at is null
      and n.parent_id <> n.id;
  elsif tg_op = 'DELETE' then
    select array_agg(o.parent_id), array_agg(-1), array_agg(o.id) into parents, subfolders, gone
    from was o
    where o.deleted_at is null
      and o.parent_id <> o.id;
    select array_agg(o.id) into forgotten
    from was o
    where not exists (select 1 from tusk.folders d where d.id = o.id);
  else
    select array_agg(c.parent_id), array_agg(c.subfolders),
      array_agg(o.id) filter (where n.deleted_at is not null)
    into parents, subfolders, gone
    from was o
    join entered n
      on n.id = o.id
    cross join lateral (values
      (o.parent_id, case when o.deleted_at is null then -1 else 0 end),
      (n.parent_id, case when n.deleted_at is null then 1 else 0 end)) c(parent_id, subfolders)
    where (o.parent_id, o.name, o.deleted_at is null)
      is distinct from (n.parent_id, n.name, n.deleted_at is null);
  end if;
  if exists (
      select 1 from tusk.files f where f.folder_id = any (gone) and f.deleted_at is null)
    or exists (
      select 1 from tusk.folders d
      where d.parent_id = any (gone) and d.deleted_at is null and d.parent_id <> d.id)
    or exists (select 1 from tusk.file_links l where l.folder_id = any (gone))
  then
    raise exception 'a folder that is not empty cannot be deleted'
      using errcode = 'dependent_objects_still_exist',
        hint = 'delete what is in it first, or call tusk.delete(path, recursive => true)';
  end if;
  if parents is not null then
    perform tusk.touch_folders(parents, subfolders);
  end if;
  if forgotten is not null then
    perform tusk.forget_folders(forgotten);
  end if;
  return null;
end
$$;
comment on function tusk.follow_folders() is
  'Trigger: the parents of folders that came, went or moved have new times and counts; a folder that went must be empty.';

do $$
declare
  each record;
begin
  for each in
    select *
    from (values ('files', 'follow_files'), ('folders', 'follow_folders')) t (name, follower)
    cross join (values
      ('insert', 'new table as entered'), ('delete', 'old table as was'),
      ('update', 'old table as was new table as entered')) e (event, tables)
  loop
    execute format(
      'create trigger follow_%s after %1$s on tusk.%I referencing %s for each statement
       when (current_setting(''tusk.driver'', true) is distinct from ''on'')
       execute function tusk.%I()', each.event, each.name, each.tables, each.follower);
  end loop;
end
$$;

-- Further names and attributes.

create function tusk.complete_link()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  tree uuid;
begin
  select f.tenant_id into tree
  from tusk.files f
  where f.id = new.file_id
    and f.deleted_at is null;
  if not found then
    raise exception 'file % is not in a tree', new.file_id
      using errcode = 'foreign_key_violation';
  end if;
  perform tusk.enter_name(tree, new.folder_id, new.file_id, new.name);
  if exists (
    select 1
    from tusk.files f
    where f.id = new.file_id
      and f.folder_id = new.folder_id
      and f.filename = new.name)
  then
    raise exception '% is taken in its folder', quote_literal(new.name)
      using errcode = 'unique_violation';
  end if;
  return new;
end
$$;
comment on function tusk.complete_link() is
  'Trigger: refuses further names that the folder cannot hold, or that are of no file.';

create trigger complete_link
before insert or update on tusk.file_links
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.complete_link();

create function tusk.follow_link()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  folders uuid[];
begin
  if tg_op <> 'INSERT' then
    perform tusk.end_name(
      old.folder_id, old.file_id, false, old.named_at_ns,
      greatest(tusk.clock_ns(), old.named_at_ns), old.name);
    folders := folders || old.folder_id;
  end if;
  if tg_op <> 'DELETE' then
    folders := folders || new.folder_id;
  end if;
  update tusk.files f
  set nlink = 1 + (select count(*) from tusk.file_links l where l.file_id = f.id)
  where f.deleted_at is null
    and f.id in (
      case when tg_op <> 'INSERT' then old.file_id end,
      case when tg_op <> 'DELETE' then new.file_id end);
  perform tusk.touch_folders(folders, array_fill(0, array[cardinality(folders)]));
  return null;
end
$$;
comment on function tusk.follow_link() is
  'Trigger: a file counts its names, and history knows those that ended.';

create trigger follow_link
after insert or update or delete on tusk.file_links
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.follow_link();

create function tusk.follow_xattr()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  owners uuid[];
begin
  if tg_op <> 'INSERT' then owners := owners || old.owner_id; end if;
  if tg_op <> 'DELETE' then owners := owners || new.owner_id; end if;
  update tusk.files f
  set has_xattrs = not f.has_xattrs
  where f.id = any (owners)
    and f.has_xattrs <> exists (select 1 from tusk.xattrs x where x.owner_id = f.id);
  update tusk.folders d
  set has_xattrs = not d.has_xattrs
  where d.id = any (owners)
    and d.has_xattrs <> exists (select 1 from tusk.xattrs x where x.owner_id = d.id);
  return null;
end
$$;
comment on function tusk.follow_xattr() is
  'Trigger: a file or folder knows whether it has extended attributes.';

create trigger follow_xattr
after insert or update or delete on tusk.xattrs
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.follow_xattr();
