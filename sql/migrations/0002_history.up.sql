-- History: contents that were overwritten, names that ended, what was deleted, snapshots.

alter table tusk.files
  add column content_at_ns bigint not null default tusk.now_ns(),
  add column named_at_ns bigint not null default tusk.now_ns(),
  add column deleted_by bigint;
comment on column tusk.files.content_at_ns is 'Since when the content is what it is, in nanoseconds since 1970. Contents that followed within the version interval count as one.';
comment on column tusk.files.named_at_ns is 'Since when the file has its folder and filename, in nanoseconds since 1970.';
comment on column tusk.files.deleted_at is 'Null while the file has a name. With deleted_by: in the trash, since then, with the folder and filename it had. Without: unlinked but still open somewhere; the next mount removes it.';
comment on column tusk.files.deleted_by is 'Who put the file in the trash (a uid); null while it is not there.';

alter table tusk.folders
  add column named_at_ns bigint not null default tusk.now_ns(),
  add column deleted_by bigint;
comment on column tusk.folders.named_at_ns is 'Since when the folder has its parent and name, in nanoseconds since 1970.';
comment on column tusk.folders.deleted_at is 'Null while the folder is in the tree; else since when it is in the trash, with the parent and name it had.';
comment on column tusk.folders.deleted_by is 'Who put the folder in the trash (a uid); null while it is not there.';
create index folders_deleted
  on tusk.folders (tenant_id)
  where deleted_at is not null;

-- What a folder in the trash, or of a moment that is past, held.
create index files_trashed_names
  on tusk.files (folder_id, filename)
  where deleted_at is not null;
create index folders_trashed_names
  on tusk.folders (parent_id, name)
  where deleted_at is not null;

alter table tusk.file_links
  add column named_at_ns bigint not null default tusk.now_ns();
comment on column tusk.file_links.named_at_ns is 'Since when the file has this name, in nanoseconds since 1970.';

create table tusk.file_versions (
  file_id uuid not null,
  version bigint not null,
  size_bytes bigint not null,
  content_at_ns bigint not null,
  until_ns bigint not null,
  mtime_ns bigint not null,
  uid bigint not null,
  mode integer not null,
  mime_type text,
  storage_type text not null default 'db',
  external_url text,
  checksum bytea,
  holes bigint[],
  data bytea,
  primary key (file_id, version)
);
alter table tusk.file_versions alter column data set storage external;
create index file_versions_until on tusk.file_versions (until_ns);
comment on table tusk.file_versions is
  'Contents that were overwritten. The present one is in tusk.files; chunks of both are in tusk.file_chunks, each chunk in as many rows as there are different contents of it.';
comment on column tusk.file_versions.file_id is 'The file: tusk.files(id), which may be in the trash.';
comment on column tusk.file_versions.version is 'The version that the file had. Numbers that are missing were replaced within the version interval, or purged.';
comment on column tusk.file_versions.size_bytes is 'Length of the content.';
comment on column tusk.file_versions.content_at_ns is 'Since when this was the content, in nanoseconds since 1970.';
comment on column tusk.file_versions.until_ns is 'When the next content took its place, in nanoseconds since 1970.';
comment on column tusk.file_versions.mtime_ns is 'The mtime that the file had, in nanoseconds since 1970.';
comment on column tusk.file_versions.uid is 'The owner that the file had.';
comment on column tusk.file_versions.mode is 'Type and permissions that the file had.';
comment on column tusk.file_versions.mime_type is 'As tusk.files.mime_type.';
comment on column tusk.file_versions.storage_type is 'As tusk.files.storage_type.';
comment on column tusk.file_versions.external_url is 'As tusk.files.external_url.';
comment on column tusk.file_versions.checksum is 'As tusk.files.checksum.';
comment on column tusk.file_versions.holes is 'As tusk.files.holes.';
comment on column tusk.file_versions.data is 'As tusk.files.data; tusk.content(file_id, version) reads either form.';

create table tusk.path_history (
  folder_id uuid not null,
  entry_id uuid not null,
  is_folder boolean not null,
  since_ns bigint not null,
  until_ns bigint not null,
  name text collate "C" not null,
  primary key (folder_id, entry_id, until_ns, name)
);
create index path_history_entry on tusk.path_history (entry_id);
comment on table tusk.path_history is
  'Names that ended by a rename or by the removal of a further link. With the live rows and the trash it makes the tree of any moment readable.';
comment on column tusk.path_history.folder_id is 'The folder that held the name: tusk.folders(id).';
comment on column tusk.path_history.entry_id is 'What had the name: tusk.files(id) or tusk.folders(id).';
comment on column tusk.path_history.is_folder is 'Whether entry_id is a folder.';
comment on column tusk.path_history.since_ns is 'From when, in nanoseconds since 1970.';
comment on column tusk.path_history.until_ns is 'Until when (not included), in nanoseconds since 1970.';
comment on column tusk.path_history.name is 'The name within the folder.';

create table tusk.snapshots (
  tenant_id uuid not null,
  name text collate "C" not null,
  taken_at_ns bigint not null,
  primary key (tenant_id, name)
);
comment on table tusk.snapshots is
  'Names for moments. What the tree of such a moment needs is kept while the row stands.';
comment on column tusk.snapshots.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.snapshots.name is 'Name of the snapshot; no slash, not . or .. .';
comment on column tusk.snapshots.taken_at_ns is 'The moment, in nanoseconds since 1970.';

comment on column tusk.tenants.policy is
  'What history keeps: versions (how many a file; 0: none), version_age, version_interval and trash (seconds; trash 0: deleted at once). Keys that are missing have the defaults of tusk.policy().';

create function tusk.policy(tenant_id uuid)
returns table (versions bigint, version_age_ns bigint, version_interval_ns bigint, trash_ns bigint)
language sql
stable
as $$
  select
    coalesce((t.policy->>'versions')::bigint, 20),
    coalesce((t.policy->>'version_age')::bigint, 90 * 86400) * 1000000000,
    coalesce((t.policy->>'version_interval')::bigint, 10) * 1000000000,
    coalesce((t.policy->>'trash')::bigint, 30 * 86400) * 1000000000
  from tusk.tenants t
  where t.id = policy.tenant_id
$$;
comment on function tusk.policy(uuid) is
  'The effective policy of a tree: one row, times in nanoseconds.';

create or replace function tusk.delete_files(file_ids uuid[])
returns void
language plpgsql
as $$
begin
  delete from tusk.files where id = any (file_ids);
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
comment on function tusk.delete_files(uuid[]) is
  'Removes files for good, with their content, versions, names, extended attributes and staging.';

create function tusk.delete_folders(folder_ids uuid[])
returns void
language sql
as $$
  delete from tusk.folders where id = any (folder_ids);
  delete from tusk.path_history where entry_id = any (folder_ids);
  delete from tusk.path_history where folder_id = any (folder_ids);
  delete from tusk.xattrs where owner_id = any (folder_ids);
$$;
comment on function tusk.delete_folders(uuid[]) is
  'Removes folders for good, with their past names and extended attributes.';

create function tusk.content(file_id uuid, version bigint)
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
comment on function tusk.content(uuid, bigint) is
  'The bytes that a file had at a version, the present one included; null when there is no such file or version.';

create or replace function tusk.content(file_id uuid)
returns bytea
language sql
stable
as $$
  select tusk.content(f.id, f.version) from tusk.files f where f.id = content.file_id
$$;

create or replace function tusk.count_file()
returns trigger
language plpgsql
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
  if tg_op = 'DELETE' then
    perform tusk.delete_files(array[old.id]);
  end if;
  return null;
end
$$;
drop trigger count_file on tusk.files;
create trigger count_file
after insert or delete or update of tenant_id, size_bytes, data, deleted_at on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_file();

create or replace function tusk.count_folder()
returns trigger
language plpgsql
as $$
begin
  if tg_op in ('UPDATE', 'DELETE') and old.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, 0, -1, 0);
  end if;
  if tg_op in ('UPDATE', 'INSERT') and new.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 0, 1, 0);
  end if;
  if tg_op = 'DELETE' then
    delete from tusk.xattrs where owner_id = old.id;
  end if;
  return null;
end
$$;
drop trigger count_folder on tusk.folders;
create trigger count_folder
after insert or delete or update of deleted_at on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_folder();

create function tusk.is_in_snapshot(tree uuid, from_ns bigint, until_ns bigint)
returns boolean
language sql
stable
as $$
  select exists (
    select 1
    from tusk.snapshots s
    where s.tenant_id = tree
      and s.taken_at_ns >= from_ns
      and s.taken_at_ns < until_ns)
$$;
comment on function tusk.is_in_snapshot(uuid, bigint, bigint) is
  'Whether a snapshot was taken in [from_ns, until_ns).';

create function tusk.timestamp_to_ns(at timestamptz)
returns bigint
language sql
immutable
strict
parallel safe
as $$
  select (extract(epoch from at) * 1000000)::bigint * 1000
$$;
comment on function tusk.timestamp_to_ns(timestamptz) is
  'A timestamp in nanoseconds since 1970.';

create function tusk.sweep_chunks(file_ids uuid[])
returns void
language sql
as $$
  -- A row is needed by the versions from its own up to the one before the next row of its chunk.
  with rows as (
    select c.file_id, c.chunk_no, c.version,
      lead(c.version) over (partition by c.file_id, c.chunk_no order by c.version) as next_version
    from tusk.file_chunks c
    where c.file_id = any (file_ids)
      and not c.retained
  ), needless as (
    select r.file_id, r.chunk_no, r.version
    from rows r
    join tusk.files f
      on f.id = r.file_id
    where r.version <= f.version
      and (r.next_version <= f.version
        or f.data is not null
        or r.chunk_no * 65536 >= f.size_bytes
        or exists (
          select 1
          from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
          where r.chunk_no >= f.holes[i]
            and r.chunk_no < f.holes[i + 1]))
      and not exists (
        select 1
        from tusk.file_versions v
        where v.file_id = r.file_id
          and v.version >= r.version
          and (r.next_version is null or v.version < r.next_version)
          and v.size_bytes > r.chunk_no * 65536)
  )
  select tusk.drop_chunks(
    array_agg(n.file_id),
    array_agg(n.chunk_no),
    array_agg(n.chunk_no + 1),
    array_agg(n.version),
    array_agg(n.version + 1))
  from needless n
  having count(*) > 0
$$;
comment on function tusk.sweep_chunks(uuid[]) is
  'Removes the chunks of files that neither their present content nor a version needs.';

create function tusk.purge_files(file_ids uuid[])
returns bigint
language plpgsql
as $$
declare
  purged bigint := 0;
  each uuid;
begin
  if cardinality(file_ids) = 0 then
    return 0;
  end if;
  begin
    perform tusk.delete_files(file_ids);
    return cardinality(file_ids);
  exception when foreign_key_violation then
    null;
  end;
  -- An application refers to some: these stay in the trash.
  foreach each in array file_ids loop
    begin
      perform tusk.delete_files(array[each]);
      purged := purged + 1;
    exception when foreign_key_violation then
      null;
    end;
  end loop;
  return purged;
end
$$;
comment on function tusk.purge_files(uuid[]) is
  'Removes files for good, but for those that rows of applications refer to; how many went.';

create function tusk.collect_garbage(
  in tree uuid,
  in at timestamptz default now(),
  in batch integer default 5000,
  out files bigint,
  out folders bigint,
  out versions bigint,
  out has_more boolean
)
returns record
language plpgsql
as $$
declare
  p record;
  at_ns bigint := tusk.timestamp_to_ns(at);
  ids uuid[];
  numbers bigint[];
begin
  select * into strict p from tusk.policy(tree);

  select array_agg(t.id) into ids
  from (
    select f.id
    from tusk.files f
    where f.tenant_id = tree
      and f.deleted_at is not null
      and f.deleted_by is not null
      and f.deleted_at <= tusk.ns_to_timestamp(at_ns - p.trash_ns)
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
    limit batch
    for update skip locked) t;
  files := tusk.purge_files(coalesce(ids, '{}'));
  has_more := files > 0 and cardinality(ids) = batch;

  select array_agg(t.id) into ids
  from (
    select d.id
    from tusk.folders d
    where d.tenant_id = tree
      and d.deleted_at <= tusk.ns_to_timestamp(at_ns - p.trash_ns)
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at))
      and not exists (select 1 from tusk.files f where f.folder_id = d.id)
      and not exists (select 1 from tusk.folders c where c.parent_id = d.id)
    limit batch
    for update skip locked) t;
  perform tusk.delete_folders(ids);
  folders := coalesce(cardinality(ids), 0);
  has_more := has_more or folders = batch;

  with old as (
    select v.file_id, v.version
    from tusk.file_versions v
    join tusk.files f
      on f.id = v.file_id
    where f.tenant_id = tree
      and (v.until_ns <= at_ns - p.version_age_ns
        or p.versions <= (
          select count(*)
          from (
            select 1
            from tusk.file_versions n
            where n.file_id = v.file_id
              and n.version > v.version
            limit p.versions) newer))
      and not tusk.is_in_snapshot(tree, v.content_at_ns, v.until_ns)
    limit batch
  ), gone as (
    delete from tusk.file_versions v
    using old o
    where v.file_id = o.file_id
      and v.version = o.version
    returning v.file_id, v.version
  )
  select array_agg(distinct g.file_id), array_agg(g.version) into ids, numbers
  from gone g;
  perform tusk.sweep_chunks(coalesce(ids, '{}'));
  versions := coalesce(cardinality(numbers), 0);
  has_more := has_more or versions = batch;

  delete from tusk.path_history h
  where h.until_ns <= at_ns - greatest(p.version_age_ns, p.trash_ns)
    and not tusk.is_in_snapshot(tree, h.since_ns, h.until_ns)
    and exists (
      select 1
      from tusk.folders d
      where d.id = h.folder_id
        and d.tenant_id = tree);
end
$$;
comment on function tusk.collect_garbage(uuid, timestamptz, integer) is
  'Removes what history need not keep any longer as of a time: at most batch files, folders and versions at once; again while has_more.';

create function tusk.folder_at(folder uuid, at_ns bigint, entry_name text default null)
returns table (id uuid, is_folder boolean, name text)
language sql
stable
as $$
  select d.id, true, d.name
  from tusk.folders d
  where d.parent_id = folder
    and d.parent_id <> d.id
    and (entry_name is null or d.name = entry_name)
    and d.named_at_ns <= at_ns
    and (d.deleted_at is null or tusk.timestamp_to_ns(d.deleted_at) > at_ns)
  union all
  select f.id, false, f.filename
  from tusk.files f
  where f.folder_id = folder
    and (entry_name is null or f.filename = entry_name)
    and f.named_at_ns <= at_ns
    and (f.deleted_at is null
      or f.deleted_by is not null and tusk.timestamp_to_ns(f.deleted_at) > at_ns)
  union all
  select l.file_id, false, l.name
  from tusk.file_links l
  where l.folder_id = folder
    and (entry_name is null or l.name = entry_name)
    and l.named_at_ns <= at_ns
  union all
  select h.entry_id, h.is_folder, h.name
  from tusk.path_history h
  where h.folder_id = folder
    and (entry_name is null or h.name = entry_name)
    and h.since_ns <= at_ns
    and h.until_ns > at_ns
$$;
comment on function tusk.folder_at(uuid, bigint, text) is
  'What a folder held at a moment (nanoseconds since 1970), or the one entry of a name.';

create function tusk.resolve_at(path text, at_ns bigint, tenant text default 'default')
returns table (id uuid, is_folder boolean, name text)
language plpgsql
stable
as $$
declare
  part text;
begin
  select t.root_id, true, '' into id, is_folder, name
  from tusk.tenants t
  where t.name = resolve_at.tenant
    and tusk.timestamp_to_ns(t.created_at) <= at_ns;
  foreach part in array string_to_array(path, '/') loop
    continue when part = '' or part = '.';
    if is_folder is not true then
      return;
    end if;
    select e.id, e.is_folder, e.name into id, is_folder, name
    from tusk.folder_at(resolve_at.id, at_ns, part) e
    limit 1;
  end loop;
  if id is not null then
    return next;
  end if;
end
$$;
comment on function tusk.resolve_at(text, bigint, text) is
  'What a path of a tree named at a moment (nanoseconds since 1970); no row when nothing. Symbolic links are not followed.';

create function tusk.past_path(entry uuid)
returns text
language sql
stable
as $$
  with recursive up as (
    select f.folder_id as parent, f.filename::text as path, 1 as depth
    from tusk.files f
    where f.id = entry
    union all
    select d.parent_id, d.name::text, 1
    from tusk.folders d
    where d.id = entry
      and d.parent_id <> d.id
    union all
    select d.parent_id, d.name || '/' || u.path, u.depth + 1
    from up u
    join tusk.folders d
      on d.id = u.parent
      and d.parent_id <> d.id
    where u.depth < 10000
  )
  select '/' || u.path
  from up u
  order by u.depth desc
  limit 1
$$;
comment on function tusk.past_path(uuid) is
  'The path that a file or folder has, or had when it went to the trash; folders above it count with the names they have or had last.';

create view tusk.trash as
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
  where d.deleted_at is not null) e
join tusk.tenants t
  on t.id = e.tenant_id;
comment on view tusk.trash is
  'What is in the trash of every tree: where it was, since when it is there, and who (a uid) deleted it.';

create function tusk.deletion_began(folder uuid)
returns bigint
language sql
stable
as $$
  with recursive below as (
    select d.id, d.deleted_at
    from tusk.folders d
    where d.id = folder
      and d.deleted_at is not null
    union all
    select c.id, c.deleted_at
    from below b
    join tusk.folders c
      on c.parent_id = b.id
    where c.deleted_at is not null
  ), times as (
    select b.deleted_at
    from below b
    union all
    select f.deleted_at
    from below b
    join tusk.files f
      on f.folder_id = b.id
    where f.deleted_at is not null
      and f.deleted_by is not null
  ), pauses as (
    select t.deleted_at,
      lead(t.deleted_at) over (order by t.deleted_at) - t.deleted_at > interval '10 s' as follows
    from times t
  )
  select tusk.timestamp_to_ns(min(t.deleted_at))
  from times t
  where t.deleted_at > coalesce(
    (select max(p.deleted_at) from pauses p where p.follows), '-infinity'::timestamptz)
$$;
comment on function tusk.deletion_began(uuid) is
  'When the removal of a folder in the trash began (nanoseconds since 1970): what is below it goes first, one after the other without long pauses.';

create function tusk.last_seen(path text, tenant text default 'default')
returns bigint
language sql
stable
as $$
  select max(e.until_ns) - 1
  from (
    select tusk.timestamp_to_ns(f.deleted_at) as until_ns, f.id, null::text as renamed
    from tusk.files f
    where f.filename = substring(path from '[^/]*$')
      and f.deleted_at is not null
      and f.deleted_by is not null
    union all
    select tusk.deletion_began(d.id), d.id, null
    from tusk.folders d
    where d.name = substring(path from '[^/]*$')
      and d.deleted_at is not null
    union all
    select h.until_ns, h.folder_id, '/' || h.name
    from tusk.path_history h
    where h.name = substring(path from '[^/]*$')) e
  where coalesce(tusk.past_path(e.id), '') || coalesce(e.renamed, '') = path
$$;
comment on function tusk.last_seen(text, text) is
  'The last moment (nanoseconds since 1970) at which a path named something that is not there any more; of a folder, the last before its removal began.';
