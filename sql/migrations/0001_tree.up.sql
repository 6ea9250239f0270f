-- The tree: tenants, folders, files with their content, further names, attributes.

create function tusk.uuid_v7()
returns uuid
language sql
volatile
parallel safe
as $$
  select encode(
    set_byte(
      overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6),
      6,
      get_byte(uuid_send(gen_random_uuid()), 6) & 15 | 112),
    'hex')::uuid
$$;
comment on function tusk.uuid_v7() is
  'A new time-ordered identifier (UUID version 7): the millisecond, then random bits.';

create function tusk.ns_to_timestamp(ns bigint)
returns timestamptz
language sql
immutable
strict
parallel safe
as $$
  select to_timestamp(ns / 1000000000) + (ns % 1000000000) / 1000 * interval '1 microsecond'
$$;
comment on function tusk.ns_to_timestamp(bigint) is
  'Nanoseconds since 1970 as a timestamp, cut to the microsecond that PostgreSQL keeps.';

create function tusk.now_ns()
returns bigint
language sql
stable
parallel safe
as $$
  select (extract(epoch from now()) * 1000000)::bigint * 1000
$$;
comment on function tusk.now_ns() is
  'The start of the transaction in nanoseconds since 1970.';

create table tusk.tenants (
  id uuid primary key default tusk.uuid_v7(),
  name text not null unique,
  root_id uuid not null,
  created_at timestamptz not null default now(),
  policy jsonb not null default '{}'
);
comment on table tusk.tenants is 'One row a tree; a mount shows one tree.';
comment on column tusk.tenants.id is 'The tenant_id of everything in the tree.';
comment on column tusk.tenants.name is 'What --tenant names; the tree that mounts show by default is ''default''.';
comment on column tusk.tenants.root_id is 'The folder at the top of the tree: tusk.folders(id).';
comment on column tusk.tenants.created_at is 'When the tree was made.';
comment on column tusk.tenants.policy is 'Settings of the tree.';

create table tusk.mounts (
  tenant_id uuid primary key,
  epoch bigint not null default 0,
  last_group bigint not null default 0,
  files bigint not null default 0,
  folders bigint not null default 1,
  bytes bigint not null default 0,
  since timestamptz,
  pid integer,
  backend_pid integer,
  host text,
  mountpoint text
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500
);
comment on table tusk.mounts is
  'One row a tree: who mounted it last, the last transaction group of its writes, and its size. Updated by every group.';
comment on column tusk.mounts.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.mounts.epoch is 'Counts the mounts of the tree; a writer of an older epoch is refused.';
comment on column tusk.mounts.last_group is 'Number of the last transaction group that committed.';
comment on column tusk.mounts.files is 'Rows of the tree in tusk.files, kept with every group so that statfs counts nothing.';
comment on column tusk.mounts.folders is 'Rows of the tree in tusk.folders, the root included.';
comment on column tusk.mounts.bytes is 'Sum of size_bytes over the tree''s files.';
comment on column tusk.mounts.since is 'When the last mount took the tree.';
comment on column tusk.mounts.pid is 'Process that mounted the tree, on host.';
comment on column tusk.mounts.backend_pid is 'PostgreSQL backend that holds the tree''s advisory lock (tusk.tree_lock_key) while it is mounted.';
comment on column tusk.mounts.host is 'Machine of the process that mounted the tree.';
comment on column tusk.mounts.mountpoint is 'Where the tree is mounted, as a path on host.';

create table tusk.usage_pending (
  tenant_id uuid not null,
  files bigint not null,
  folders bigint not null,
  bytes bigint not null
);
comment on table tusk.usage_pending is
  'What SQL clients added to or took from a tree''s counters; the next mount adds it to tusk.mounts. A table of its own, so that a long transaction of theirs never blocks a mount.';
comment on column tusk.usage_pending.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.usage_pending.files is 'Files added (negative: removed).';
comment on column tusk.usage_pending.folders is 'Folders added (negative: removed).';
comment on column tusk.usage_pending.bytes is 'Bytes of content added (negative: removed).';

create table tusk.folders (
  id uuid primary key default tusk.uuid_v7(),
  tenant_id uuid not null,
  parent_id uuid not null,
  atime_ns bigint not null default tusk.now_ns(),
  mtime_ns bigint not null default tusk.now_ns(),
  ctime_ns bigint not null default tusk.now_ns(),
  uid bigint not null default 0,
  gid bigint not null default 0,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  mode integer not null default 16877,
  nlink integer not null default 2,
  has_xattrs boolean not null default false,
  name text collate "C" not null
) with (
  fillfactor = 85,
  autovacuum_vacuum_scale_factor = 0.05
);
create unique index folders_live_name
  on tusk.folders (parent_id, name)
  where deleted_at is null and parent_id <> id;
comment on table tusk.folders is 'The folders of every tree.';
comment on column tusk.folders.id is 'Time-ordered identifier; its random low 62 bits are the inode number.';
comment on column tusk.folders.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.folders.parent_id is 'The folder that holds this one; a root is its own parent.';
comment on column tusk.folders.atime_ns is 'Last read, in nanoseconds since 1970.';
comment on column tusk.folders.mtime_ns is 'Last change of the entries, in nanoseconds since 1970.';
comment on column tusk.folders.ctime_ns is 'Last change of this row, in nanoseconds since 1970.';
comment on column tusk.folders.uid is 'Owner, an unsigned 32-bit number.';
comment on column tusk.folders.gid is 'Group, an unsigned 32-bit number.';
comment on column tusk.folders.created_at is 'When the row was first stored.';
comment on column tusk.folders.deleted_at is 'Null while the folder is in the tree.';
comment on column tusk.folders.mode is 'Type and permissions as in stat(2): 16877 is 040755.';
comment on column tusk.folders.nlink is '2 and one for each subfolder.';
comment on column tusk.folders.has_xattrs is 'Whether tusk.xattrs has rows of this folder.';
comment on column tusk.folders.name is 'Name within the parent, at most 255 bytes; empty for a root. Unique among the parent''s live entries.';

create table tusk.files (
  id uuid primary key default tusk.uuid_v7(),
  tenant_id uuid not null,
  folder_id uuid not null,
  size_bytes bigint not null,
  version bigint not null default 1,
  atime_ns bigint not null default tusk.now_ns(),
  mtime_ns bigint not null default tusk.now_ns(),
  ctime_ns bigint not null default tusk.now_ns(),
  uid bigint not null default 0,
  gid bigint not null default 0,
  rdev bigint not null default 0,
  uploaded_at timestamptz not null default now(),
  deleted_at timestamptz,
  mode integer not null default 33188,
  nlink integer not null default 1,
  has_xattrs boolean not null default false,
  filename text collate "C" not null,
  mime_type text,
  storage_type text not null default 'db',
  external_url text,
  checksum bytea,
  holes bigint[],
  data bytea
) with (
  fillfactor = 85,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.1,
  toast.autovacuum_vacuum_scale_factor = 0.05
);
alter table tusk.files alter column data set storage external;
create unique index files_live_name
  on tusk.files (folder_id, filename)
  where deleted_at is null;
create index files_deleted
  on tusk.files (tenant_id)
  where deleted_at is not null;
comment on table tusk.files is
  'The files of every tree; symbolic links, FIFOs, sockets and devices too, told apart by mode. Applications may reference files(id).';
comment on column tusk.files.id is 'Time-ordered identifier; its random low 62 bits are the inode number.';
comment on column tusk.files.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.files.folder_id is 'The folder of the first name; further names of a hard-linked file are in tusk.file_links.';
comment on column tusk.files.size_bytes is 'Length of the content.';
comment on column tusk.files.version is 'Counts the published contents, from 1. Rows of tusk.file_chunks above it are not published.';
comment on column tusk.files.atime_ns is 'Last read, in nanoseconds since 1970.';
comment on column tusk.files.mtime_ns is 'Last change of the content, in nanoseconds since 1970.';
comment on column tusk.files.ctime_ns is 'Last change of this row, in nanoseconds since 1970.';
comment on column tusk.files.uid is 'Owner, an unsigned 32-bit number.';
comment on column tusk.files.gid is 'Group, an unsigned 32-bit number.';
comment on column tusk.files.rdev is 'Device number (as in stat) of a device node, else 0.';
comment on column tusk.files.uploaded_at is 'When the row was first stored.';
comment on column tusk.files.deleted_at is 'Null while the file has a name. Set: unlinked but still open somewhere; the next mount removes it.';
comment on column tusk.files.mode is 'Type and permissions as in stat(2): 33188 is 0100644.';
comment on column tusk.files.nlink is 'Number of names: 1 and one for each row in tusk.file_links.';
comment on column tusk.files.has_xattrs is 'Whether tusk.xattrs has rows of this file.';
comment on column tusk.files.filename is 'Name within the folder, at most 255 bytes. Unique among the folder''s live entries.';
comment on column tusk.files.mime_type is 'Media type told from the name, else from the content.';
comment on column tusk.files.storage_type is 'db: the content is in data or in tusk.file_chunks; external: at external_url.';
comment on column tusk.files.external_url is 'Where the content of an external file is.';
comment on column tusk.files.checksum is 'XXH3-128 of the content, 16 bytes as xxhsum -H2 prints them; null when not known.';
comment on column tusk.files.holes is 'Chunked content: pairs (first, last) of half-open ranges of chunk numbers that read as zeros and have no rows. Null: none.';
comment on column tusk.files.data is 'The content itself, or the target of a symbolic link; null when it is in tusk.file_chunks. Use tusk.content(id) to read either.';

create table tusk.file_chunks (
  file_id uuid not null,
  chunk_no bigint not null,
  version bigint not null,
  src_file_id uuid,
  src_chunk_no bigint,
  src_version bigint,
  retained boolean not null default false,
  checksum bytea not null,
  data bytea,
  primary key (file_id, chunk_no, version)
) with (
  autovacuum_vacuum_scale_factor = 0.05,
  toast.autovacuum_vacuum_scale_factor = 0.05,
  toast.autovacuum_vacuum_insert_scale_factor = 0.2
);
alter table tusk.file_chunks alter column data set storage external;
create index file_chunks_shared
  on tusk.file_chunks (src_file_id, src_chunk_no, src_version)
  where src_file_id is not null;
comment on table tusk.file_chunks is
  'Content in pieces of 65536 bytes. A reader at version v takes, for each chunk, the newest row with version <= v that is not retained.';
comment on column tusk.file_chunks.file_id is 'The file: tusk.files(id).';
comment on column tusk.file_chunks.chunk_no is 'Position in the file, in units of 65536 bytes, from 0.';
comment on column tusk.file_chunks.version is 'The version of the file that this content appeared with.';
comment on column tusk.file_chunks.src_file_id is 'With src_chunk_no and src_version: the row that holds the data of this one (never a row that itself shares). Null: data is here.';
comment on column tusk.file_chunks.src_chunk_no is 'See src_file_id.';
comment on column tusk.file_chunks.src_version is 'See src_file_id.';
comment on column tusk.file_chunks.retained is 'No longer content of its file, kept because other rows share its data; goes with the last of them.';
comment on column tusk.file_chunks.checksum is 'XXH3-128 of the data, 16 bytes as xxhsum -H2 prints them.';
comment on column tusk.file_chunks.data is 'At most 65536 bytes; what is missing at the end reads as zeros. Null if and only if src_file_id is set.';

create table tusk.staging (
  file_id uuid not null,
  version bigint not null,
  tenant_id uuid not null,
  primary key (file_id, version)
);
comment on table tusk.staging is
  'Versions whose chunks are being stored ahead of their publication. What a mount that died left here, the next one removes.';
comment on column tusk.staging.file_id is 'The file: tusk.files(id), whose row may not exist yet.';
comment on column tusk.staging.version is 'The unpublished version.';
comment on column tusk.staging.tenant_id is 'The tree: tusk.tenants(id).';

create table tusk.file_links (
  file_id uuid not null,
  folder_id uuid not null,
  name text collate "C" not null,
  primary key (folder_id, name)
);
create index file_links_file on tusk.file_links (file_id);
comment on table tusk.file_links is 'The further names of hard-linked files; the first name is in tusk.files.';
comment on column tusk.file_links.file_id is 'The file: tusk.files(id).';
comment on column tusk.file_links.folder_id is 'The folder that holds this name: tusk.folders(id).';
comment on column tusk.file_links.name is 'Name within the folder. Unique among the folder''s live entries.';

create table tusk.xattrs (
  owner_id uuid not null,
  name text collate "C" not null,
  value bytea not null,
  primary key (owner_id, name)
);
comment on table tusk.xattrs is 'Extended attributes of files and folders.';
comment on column tusk.xattrs.owner_id is 'A file or a folder.';
comment on column tusk.xattrs.name is 'Full name with its namespace, as user.comment.';
comment on column tusk.xattrs.value is 'The value, any bytes.';

create function tusk.tree_lock_key(tenant_id uuid)
returns bigint
language sql
immutable
strict
parallel safe
as $$
  select hashtextextended('tuskfs tree ' || tenant_id::text, 0)
$$;
comment on function tusk.tree_lock_key(uuid) is
  'Key of the advisory lock that the session of a mount holds on its tree.';

create function tusk.drop_chunks(
  file_ids uuid[],
  firsts bigint[],
  lasts bigint[],
  from_versions bigint[],
  below_versions bigint[]
)
returns void
language plpgsql
as $$
declare
  freed_files uuid[];
  freed_chunks bigint[];
  freed_versions bigint[];
begin
  if not exists (select 1 from tusk.file_chunks where src_file_id is not null) then
    delete from tusk.file_chunks c
    using unnest(file_ids, firsts, lasts, from_versions, below_versions)
      as d(file_id, first_no, last_no, from_version, below_version)
    where c.file_id = d.file_id
      and c.chunk_no >= d.first_no
      and c.chunk_no < d.last_no
      and c.version >= d.from_version
      and c.version < d.below_version;
    return;
  end if;

  -- Rows that share go first: nothing refers to them, and what they refer to may then go too.
  with gone as (
    delete from tusk.file_chunks c
    using unnest(file_ids, firsts, lasts, from_versions, below_versions)
      as d(file_id, first_no, last_no, from_version, below_version)
    where c.file_id = d.file_id
      and c.chunk_no >= d.first_no
      and c.chunk_no < d.last_no
      and c.version >= d.from_version
      and c.version < d.below_version
      and c.src_file_id is not null
    returning c.src_file_id, c.src_chunk_no, c.src_version
  )
  select array_agg(g.src_file_id), array_agg(g.src_chunk_no), array_agg(g.src_version)
  into freed_files, freed_chunks, freed_versions
  from gone g;

  delete from tusk.file_chunks c
  using unnest(file_ids, firsts, lasts, from_versions, below_versions)
    as d(file_id, first_no, last_no, from_version, below_version)
  where c.file_id = d.file_id
    and c.chunk_no >= d.first_no
    and c.chunk_no < d.last_no
    and c.version >= d.from_version
    and c.version < d.below_version
    and not exists (
      select 1
      from tusk.file_chunks r
      where r.src_file_id = c.file_id
        and r.src_chunk_no = c.chunk_no
        and r.src_version = c.version);

  update tusk.file_chunks c
  set retained = true
  from unnest(file_ids, firsts, lasts, from_versions, below_versions)
    as d(file_id, first_no, last_no, from_version, below_version)
  where c.file_id = d.file_id
    and c.chunk_no >= d.first_no
    and c.chunk_no < d.last_no
    and c.version >= d.from_version
    and c.version < d.below_version
    and not c.retained;

  if freed_files is not null then
    delete from tusk.file_chunks c
    using unnest(freed_files, freed_chunks, freed_versions) as f(file_id, chunk_no, version)
    where c.file_id = f.file_id
      and c.chunk_no = f.chunk_no
      and c.version = f.version
      and c.retained
      and not exists (
        select 1
        from tusk.file_chunks r
        where r.src_file_id = c.file_id
          and r.src_chunk_no = c.chunk_no
          and r.src_version = c.version);
  end if;
end
$$;
comment on function tusk.drop_chunks(uuid[], bigint[], bigint[], bigint[], bigint[]) is
  'Removes chunk rows, given as parallel arrays: of the file, chunk_no in [first, last), version in [from, below). Rows whose data others share are kept as retained.';

create function tusk.clear_chunks(file_ids uuid[], chunk_nos bigint[], versions bigint[])
returns void
language plpgsql
as $$
begin
  if not exists (
    select 1
    from unnest(file_ids, chunk_nos, versions) as k(file_id, chunk_no, version)
    join tusk.file_chunks c using (file_id, chunk_no, version))
  then
    return;
  end if;

  with aside as materialized (
    select c.file_id, c.chunk_no, c.version, tusk.uuid_v7() as new_id
    from unnest(file_ids, chunk_nos, versions) as k(file_id, chunk_no, version)
    join tusk.file_chunks c using (file_id, chunk_no, version)
    where exists (
      select 1
      from tusk.file_chunks r
      where r.src_file_id = c.file_id
        and r.src_chunk_no = c.chunk_no
        and r.src_version = c.version)
  ), led as (
    update tusk.file_chunks r
    set src_file_id = a.new_id
    from aside a
    where r.src_file_id = a.file_id
      and r.src_chunk_no = a.chunk_no
      and r.src_version = a.version
  )
  update tusk.file_chunks c
  set file_id = a.new_id, retained = true
  from aside a
  where c.file_id = a.file_id
    and c.chunk_no = a.chunk_no
    and c.version = a.version;

  perform tusk.drop_chunks(
    array_agg(k.file_id),
    array_agg(k.chunk_no),
    array_agg(k.chunk_no + 1),
    array_agg(k.version),
    array_agg(k.version + 1))
  from unnest(file_ids, chunk_nos, versions) as k(file_id, chunk_no, version);
end
$$;
comment on function tusk.clear_chunks(uuid[], bigint[], bigint[]) is
  'Makes way for new rows under these keys, given as parallel arrays. A row that others share is moved aside under a new file_id.';

create function tusk.share_chunks(
  targets uuid[],
  target_firsts bigint[],
  target_versions bigint[],
  sources uuid[],
  source_firsts bigint[],
  source_versions bigint[],
  counts bigint[]
)
returns void
language plpgsql
as $$
declare
  direction bigint := 1;
begin
  -- Where the target has such rows already, the new ones wait under negative versions until these
  -- are out of the way: a row that goes may be the very source of one that comes.
  if exists (
    select 1
    from unnest(targets, target_firsts, target_versions, counts)
      as s(target, target_first, target_version, chunk_count)
    join tusk.file_chunks c
      on c.file_id = s.target
      and c.chunk_no >= s.target_first
      and c.chunk_no < s.target_first + s.chunk_count
      and c.version = s.target_version)
  then
    direction := -1;
  end if;

  insert into tusk.file_chunks (
    file_id, chunk_no, version, checksum, src_file_id, src_chunk_no, src_version)
  select distinct on (s.target, s.target_first + c.chunk_no - s.source_first)
    s.target,
    s.target_first + c.chunk_no - s.source_first,
    s.target_version * direction,
    c.checksum,
    coalesce(c.src_file_id, c.file_id),
    coalesce(c.src_chunk_no, c.chunk_no),
    coalesce(c.src_version, c.version)
  from unnest(
      targets, target_firsts, target_versions, sources, source_firsts, source_versions, counts)
    with ordinality as s(
      target, target_first, target_version, source, source_first, source_version, chunk_count, n)
  join tusk.file_chunks c
    on c.file_id = s.source
    and c.chunk_no >= s.source_first
    and c.chunk_no < s.source_first + s.chunk_count
    and c.version between 0 and s.source_version
    and not c.retained
  where (coalesce(c.src_file_id, c.file_id),
         coalesce(c.src_chunk_no, c.chunk_no),
         coalesce(c.src_version, c.version))
     <> (s.target, s.target_first + c.chunk_no - s.source_first, s.target_version)
  order by s.target, s.target_first + c.chunk_no - s.source_first, s.n desc, c.version desc;

  if direction < 0 then
    perform tusk.clear_chunks(
      array_agg(c.file_id), array_agg(c.chunk_no), array_agg(-c.version))
    from tusk.file_chunks c
    where c.file_id = any (targets)
      and c.version < 0;
    update tusk.file_chunks c
    set version = -c.version
    where c.file_id = any (targets)
      and c.version < 0;
  end if;
end
$$;
comment on function tusk.share_chunks(uuid[], bigint[], bigint[], uuid[], bigint[], bigint[], bigint[]) is
  'Makes chunks of targets share the data of chunks of sources, given as parallel arrays. All see the rows as they were before.';

create function tusk.delete_files(file_ids uuid[])
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
comment on function tusk.delete_files(uuid[]) is
  'Removes files with their content, further names, extended attributes and staging.';

create function tusk.begin_group(
  in tree uuid,
  in holder_epoch bigint,
  in group_no bigint,
  in is_durable boolean,
  in file_count bigint,
  in folder_count bigint,
  in byte_count bigint,
  out flushed bigint,
  out written bigint
)
returns record
language plpgsql
as $$
declare
  held record;
begin
  if not is_durable then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  update tusk.mounts
  set last_group = group_no, files = file_count, folders = folder_count, bytes = byte_count
  where tenant_id = tree
    and epoch = holder_epoch
    and last_group = group_no - 1;
  if found then
    flushed := pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
    written := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
    return;
  end if;
  select m.epoch, m.last_group into held from tusk.mounts m where m.tenant_id = tree;
  if held.epoch is distinct from holder_epoch then
    raise exception 'another mount has taken this tree' using errcode = 'TF002';
  elsif held.last_group >= group_no then
    raise exception 'group % is committed', group_no using errcode = 'TF001';
  end if;
  raise exception 'group % cannot follow group %', group_no, held.last_group using errcode = 'TF003';
end
$$;
comment on function tusk.begin_group(uuid, bigint, bigint, boolean, bigint, bigint, bigint) is
  'First statement of a transaction group. Answers with log positions: what is safe on disk, and what the groups before it need to be. Errors: TF001 the group is committed already, TF002 another mount took the tree, TF003 groups before it are missing.';

create function tusk.content(file_id uuid)
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
comment on function tusk.content(uuid) is
  'The bytes of a file stored in the database, however it is stored; null when there is no such file.';

create function tusk.path(file_id uuid)
returns text
language plpgsql
stable
as $$
declare
  entry record;
  result text;
  depth integer := 0;
begin
  select f.folder_id as parent_id, f.filename as name into entry
  from tusk.files f
  where f.id = path.file_id and f.deleted_at is null;
  if not found then
    select d.parent_id, d.name into entry
    from tusk.folders d
    where d.id = path.file_id and d.deleted_at is null;
    if not found then
      return null;
    elsif entry.parent_id = file_id then
      return '/';
    end if;
  end if;
  result := entry.name;
  loop
    select d.id, d.parent_id, d.name into entry
    from tusk.folders d
    where d.id = entry.parent_id and d.deleted_at is null;
    if not found then
      return null;
    elsif entry.parent_id = entry.id then
      return '/' || result;
    end if;
    result := entry.name || '/' || result;
    depth := depth + 1;
    if depth > 100000 then
      raise exception 'the folders above % go round in a circle', file_id
        using errcode = 'data_corrupted';
    end if;
  end loop;
end
$$;
comment on function tusk.path(uuid) is
  'The path from the root of its tree to a file (by its first name) or a folder; null when it is not in a tree.';

create function tusk.resolve(path text, tenant text default 'default')
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
comment on function tusk.resolve(text, text) is
  'The file or folder at a path of a tree; null when there is none. Symbolic links are not followed.';

create function tusk.complete_file()
returns trigger
language plpgsql
as $$
begin
  if new.folder_id is null then
    select t.root_id into new.folder_id from tusk.tenants t where t.id = new.tenant_id;
    if new.folder_id is null then
      raise exception 'no tenant %', new.tenant_id
        using errcode = 'foreign_key_violation', hint = 'see tusk.tenants';
    end if;
  end if;
  if new.filename in ('', '.', '..')
    or strpos(new.filename, '/') > 0
    or octet_length(new.filename) > 255
  then
    raise exception '% is not a name for a file', quote_literal(new.filename)
      using errcode = 'check_violation', hint = 'a name has 1 to 255 bytes, no slash, and is not . or ..';
  end if;
  if new.deleted_at is null and (
    exists (
      select 1
      from tusk.folders d
      where d.parent_id = new.folder_id
        and d.name = new.filename
        and d.deleted_at is null
        and d.parent_id <> d.id)
    or exists (
      select 1 from tusk.file_links l where l.folder_id = new.folder_id and l.name = new.filename))
  then
    raise exception '% is taken in its folder', quote_literal(new.filename)
      using errcode = 'unique_violation';
  end if;
  if new.data is null and new.storage_type = 'db' and coalesce(new.size_bytes, 0) = 0 then
    new.data := ''::bytea;
  end if;
  if new.data is not null then
    new.size_bytes := octet_length(new.data);
  end if;
  return new;
end
$$;
comment on function tusk.complete_file() is
  'Trigger: fills in what an insert by an SQL client leaves out, and refuses names that no folder can hold.';

create trigger complete_file
before insert on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.complete_file();

create function tusk.count_file()
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
comment on function tusk.count_file() is
  'Trigger: notes what an SQL client adds to or takes from the counters of a tree, and removes what belonged to a file it deleted.';

create trigger count_file
after insert or delete or update of tenant_id, size_bytes, data on tusk.files
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_file();

create function tusk.count_folder()
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
comment on function tusk.count_folder() is
  'Trigger: notes what an SQL client adds to or takes from the counters of a tree.';

create trigger count_folder
after insert or delete on tusk.folders
for each row
when (current_setting('tusk.driver', true) is distinct from 'on')
execute function tusk.count_folder();
