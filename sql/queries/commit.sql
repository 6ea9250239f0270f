-- Statements of a transaction group. Each takes parallel arrays, one element a row of the group, at
-- most some hundreds of rows or about a megabyte at a time.

-- name: begin_group
-- One row: log positions, see the function.
select b.flushed, b.written
from tusk.begin_group($1::uuid, $2::int8, $3::int8, $4::bool, $5::int8, $6::int8, $7::int8) b

-- name: log_positions
-- While nothing is written, until all groups are safe on disk: one row, as of begin_group.
select
  (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8,
  (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8

-- name: clone_freely
-- Before the next two, which take as long as there is to clone.
select set_config('statement_timeout', '0', true)

-- name: clone_tree
-- Tenant, source, target, time, owner (or below 0). What is below a folder, once more below another,
-- in one go: folders, files with their further names, attributes, and rows that share the chunks.
-- Each is found by index from the one above it (lateral, offset 0), whatever the statistics say.
with recursive dirs as (
  select $2::uuid as old_id, $3::uuid as new_id, null::uuid as new_parent
  union all
  select c.id, tusk.uuid_v7(), p.new_id
  from dirs p
  cross join lateral (
    select d.id
    from tusk.folders d
    where d.parent_id = p.old_id
      and d.parent_id <> d.id
      and d.deleted_at is null
      and ($5::int8 < 0 or d.uid = $5::int8)
    offset 0) c
), names as materialized (
  select f.id as old_id, p.new_id as folder_id, f.filename as name, 0 as rank,
    tusk.uuid_v7() as fresh_id
  from dirs p
  cross join lateral (
    select e.id, e.filename
    from tusk.files e
    where e.folder_id = p.old_id
      and e.deleted_at is null
      and ($5::int8 < 0 or e.uid = $5::int8)
    offset 0) f
  union all
  select l.file_id, p.new_id, l.name, 1, tusk.uuid_v7()
  from dirs p
  cross join lateral (
    select e.file_id, e.name
    from tusk.file_links e
    join tusk.files f
      on f.id = e.file_id
    where e.folder_id = p.old_id
      and ($5::int8 < 0 or f.uid = $5::int8)
    offset 0) l
), numbered as materialized (
  select n.old_id, n.folder_id, n.name, row_number() over same as nth,
    first_value(n.fresh_id) over same as new_id,
    count(*) over (partition by n.old_id) as names
  from names n
  window same as (partition by n.old_id order by n.rank, n.folder_id, n.name)
), made_folders as (
  insert into tusk.folders (
    id, tenant_id, parent_id, atime_ns, mtime_ns, ctime_ns, uid, gid, mode, nlink, has_xattrs,
    name, named_at_ns)
  select p.new_id, $1::uuid, p.new_parent, d.atime_ns, d.mtime_ns, $4::int8, d.uid, d.gid, d.mode,
    d.nlink, d.has_xattrs, d.name, $4::int8
  from dirs p
  cross join lateral (
    select e.atime_ns, e.mtime_ns, e.uid, e.gid, e.mode, e.nlink, e.has_xattrs, e.name
    from tusk.folders e
    where e.id = p.old_id
    offset 0) d
  where p.new_parent is not null
  returning id
), made_files as (
  insert into tusk.files (
    id, tenant_id, folder_id, size_bytes, version, atime_ns, mtime_ns, ctime_ns, uid, gid, rdev,
    mode, nlink, has_xattrs, filename, mime_type, storage_type, external_url, checksum, holes, data,
    content_at_ns, named_at_ns)
  select n.new_id, $1::uuid, n.folder_id, f.size_bytes, 1, f.atime_ns, f.mtime_ns, $4::int8, f.uid,
    f.gid, f.rdev, f.mode, n.names, f.has_xattrs, n.name, f.mime_type, f.storage_type,
    f.external_url, f.checksum, f.holes, f.data, $4::int8, $4::int8
  from numbered n
  cross join lateral (
    select e.size_bytes, e.atime_ns, e.mtime_ns, e.uid, e.gid, e.rdev, e.mode, e.has_xattrs,
      e.mime_type, e.storage_type, e.external_url, e.checksum, e.holes, e.data
    from tusk.files e
    where e.id = n.old_id
    offset 0) f
  where n.nth = 1
  returning size_bytes
), made_links as (
  insert into tusk.file_links (file_id, folder_id, name, named_at_ns)
  select n.new_id, n.folder_id, n.name, $4::int8
  from numbered n
  where n.nth > 1
), made_xattrs as (
  insert into tusk.xattrs (owner_id, name, value)
  select m.new_id, x.name, x.value
  from (
    select p.old_id, p.new_id
    from dirs p
    where p.new_parent is not null
    union all
    select n.old_id, n.new_id
    from numbered n
    where n.nth = 1) m
  cross join lateral (
    select e.name, e.value
    from tusk.xattrs e
    where e.owner_id = m.old_id
    offset 0) x
), made_chunks as (
  insert into tusk.file_chunks (
    file_id, chunk_no, version, checksum, src_file_id, src_chunk_no, src_version)
  select n.new_id, s.chunk_no, 1, s.checksum, s.src_file_id, s.src_chunk_no, s.src_version
  from numbered n
  cross join lateral (
    select distinct on (c.chunk_no)
      c.chunk_no, c.checksum, coalesce(c.src_file_id, c.file_id) as src_file_id,
      coalesce(c.src_chunk_no, c.chunk_no) as src_chunk_no,
      coalesce(c.src_version, c.version) as src_version
    from (
      select f.id, f.version, f.size_bytes, f.holes
      from tusk.files f
      where f.id = n.old_id
        and f.data is null
      offset 0) f
    join tusk.file_chunks c
      on c.file_id = f.id
      and c.version between 0 and f.version
      and not c.retained
      and c.chunk_no * 65536 < f.size_bytes
    where not exists (
      select 1
      from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
      where c.chunk_no >= f.holes[i]
        and c.chunk_no < f.holes[i + 1])
    order by c.chunk_no, c.version desc) s
  where n.nth = 1
)
update tusk.mounts m
set
  files = m.files + made.files,
  folders = m.folders + made.folders,
  bytes = m.bytes + made.bytes
from (
  select
    (select count(*) from made_files) as files,
    (select count(*) from made_folders) as folders,
    (select coalesce(sum(f.size_bytes), 0) from made_files f) as bytes) made
where m.tenant_id = $1::uuid

-- name: clone_file
-- Source, target, the target's version. Its row has all but the content.
with source as (
  select f.id, f.version, f.size_bytes, f.mime_type, f.storage_type, f.external_url, f.checksum,
    f.holes, f.data
  from tusk.files f
  where f.id = $1::uuid
), made_chunks as (
  insert into tusk.file_chunks (
    file_id, chunk_no, version, checksum, src_file_id, src_chunk_no, src_version)
  select distinct on (c.chunk_no)
    $2::uuid, c.chunk_no, $3::int8, c.checksum, coalesce(c.src_file_id, c.file_id),
    coalesce(c.src_chunk_no, c.chunk_no), coalesce(c.src_version, c.version)
  from source f
  join tusk.file_chunks c
    on c.file_id = f.id
    and c.version between 0 and f.version
    and not c.retained
    and c.chunk_no * 65536 < f.size_bytes
  where f.data is null
    and not exists (
      select 1
      from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
      where c.chunk_no >= f.holes[i]
        and c.chunk_no < f.holes[i + 1])
  order by c.chunk_no, c.version desc
)
update tusk.files t
set
  version = $3::int8,
  size_bytes = f.size_bytes,
  mime_type = f.mime_type,
  storage_type = f.storage_type,
  external_url = f.external_url,
  checksum = f.checksum,
  holes = f.holes,
  data = f.data
from source f
where t.id = $2::uuid

-- name: share_chunks
select tusk.share_chunks(
  $1::uuid[], $2::int8[], $3::int8[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[])

-- name: remove_links
with gone as (
  delete from tusk.file_links l
  using unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[]) as g(file_id, folder_id, name, at_ns)
  where l.folder_id = g.folder_id
    and l.name = g.name
    and l.file_id = g.file_id
  returning l.folder_id, l.file_id, l.named_at_ns, g.at_ns, l.name
)
insert into tusk.path_history (folder_id, entry_id, is_folder, since_ns, until_ns, name)
select g.folder_id, g.file_id, false, g.named_at_ns, g.at_ns, g.name
from gone g
where g.named_at_ns < g.at_ns
on conflict do nothing

-- name: delete_files
select tusk.delete_files($1::uuid[])

-- name: delete_folders
select tusk.delete_folders($1::uuid[])

-- name: trash_files
update tusk.files f
set deleted_at = tusk.ns_to_timestamp(g.at_ns), deleted_by = g.uid
from unnest($1::uuid[], $2::int8[], $3::int8[]) as g(id, at_ns, uid)
where f.id = g.id

-- name: trash_folders
update tusk.folders d
set deleted_at = tusk.ns_to_timestamp(g.at_ns), deleted_by = g.uid
from unnest($1::uuid[], $2::int8[], $3::int8[]) as g(id, at_ns, uid)
where d.id = g.id

-- name: end_file_names
insert into tusk.path_history (folder_id, entry_id, is_folder, since_ns, until_ns, name)
select f.folder_id, f.id, false, f.named_at_ns, g.at_ns, f.filename
from unnest($1::uuid[], $2::int8[]) as g(id, at_ns)
join tusk.files f
  on f.id = g.id
where f.named_at_ns < g.at_ns
on conflict do nothing

-- name: end_folder_names
insert into tusk.path_history (folder_id, entry_id, is_folder, since_ns, until_ns, name)
select d.parent_id, d.id, true, d.named_at_ns, g.at_ns, d.name
from unnest($1::uuid[], $2::int8[]) as g(id, at_ns)
join tusk.folders d
  on d.id = g.id
where d.named_at_ns < g.at_ns
on conflict do nothing

-- name: vacate_files
-- The row leaves its name for another one of the group; its own new name comes with its row.
update tusk.files
set filename = id::text
where id = any ($1::uuid[])

-- name: vacate_folders
update tusk.folders
set name = id::text
where id = any ($1::uuid[])

-- name: upsert_folders
insert into tusk.folders as d (
  tenant_id, id, parent_id, name, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, named_at_ns,
  has_xattrs)
select
  $1::uuid, g.id, g.parent_id, g.name, g.mode, g.uid, g.gid, g.nlink, g.atime_ns, g.mtime_ns,
  g.ctime_ns, g.named_ns, g.has_xattrs
from unnest(
    $2::uuid[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
    $10::int8[], $11::int8[], $12::int8[], $13::bool[])
  as g(
    id, parent_id, name, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, named_ns, has_xattrs)
on conflict (id) do update
set
  parent_id = excluded.parent_id,
  name = excluded.name,
  mode = excluded.mode,
  uid = excluded.uid,
  gid = excluded.gid,
  nlink = excluded.nlink,
  atime_ns = excluded.atime_ns,
  mtime_ns = excluded.mtime_ns,
  ctime_ns = excluded.ctime_ns,
  named_at_ns = case
    when d.parent_id = excluded.parent_id and d.name = excluded.name then d.named_at_ns
    else excluded.named_at_ns
  end,
  has_xattrs = excluded.has_xattrs

-- name: keep_versions
-- What is about to be overwritten becomes a version, unless the new content is the same.
insert into tusk.file_versions (
  file_id, version, size_bytes, content_at_ns, until_ns, mtime_ns, uid, mode, mime_type,
  storage_type, external_url, checksum, holes, data)
select
  f.id, f.version, f.size_bytes, f.content_at_ns, g.until_ns, f.mtime_ns, f.uid, f.mode,
  f.mime_type, f.storage_type, f.external_url, f.checksum, f.holes, f.data
from unnest($1::uuid[], $2::int8[], $3::bytea[]) as g(id, until_ns, checksum)
join tusk.files f
  on f.id = g.id
where (f.checksum = g.checksum) is not true
on conflict do nothing

-- name: upsert_files
-- Files that come with their content (or with none, when it is in chunks).
insert into tusk.files as f (
  tenant_id, id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns,
  named_at_ns, has_xattrs, rdev, size_bytes, version, holes, checksum, content_at_ns, deleted_at,
  deleted_by, mime_type, data, external_url, storage_type)
select
  $1::uuid, g.id, g.folder_id, g.filename, g.mode, g.uid, g.gid, g.nlink, g.atime_ns, g.mtime_ns,
  g.ctime_ns, g.named_ns, g.has_xattrs, g.rdev, g.size_bytes, g.version, g.holes::int8[],
  g.checksum, g.content_at_ns, tusk.ns_to_timestamp(g.deleted_ns), g.deleted_by, g.mime_type,
  g.data, g.external_url, case when g.external_url is null then 'db' else 'external' end
from unnest(
    $2::uuid[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
    $10::int8[], $11::int8[], $12::int8[], $13::bool[], $14::int8[], $15::int8[], $16::int8[],
    $17::text[], $18::bytea[], $19::int8[], $20::int8[], $21::int8[], $22::text[], $23::bytea[],
    $24::text[])
  as g(
    id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, named_ns,
    has_xattrs, rdev, size_bytes, version, holes, checksum, content_at_ns, deleted_ns, deleted_by,
    mime_type, data, external_url)
on conflict (id) do update
set
  folder_id = excluded.folder_id,
  filename = excluded.filename,
  mode = excluded.mode,
  uid = excluded.uid,
  gid = excluded.gid,
  nlink = excluded.nlink,
  atime_ns = excluded.atime_ns,
  mtime_ns = excluded.mtime_ns,
  ctime_ns = excluded.ctime_ns,
  named_at_ns = case
    when f.folder_id = excluded.folder_id and f.filename = excluded.filename then f.named_at_ns
    else excluded.named_at_ns
  end,
  has_xattrs = excluded.has_xattrs,
  rdev = excluded.rdev,
  size_bytes = excluded.size_bytes,
  version = excluded.version,
  holes = excluded.holes,
  checksum = excluded.checksum,
  content_at_ns = excluded.content_at_ns,
  deleted_at = excluded.deleted_at,
  deleted_by = excluded.deleted_by,
  mime_type = excluded.mime_type,
  storage_type = excluded.storage_type,
  external_url = excluded.external_url,
  data = excluded.data

-- name: update_files
-- Files whose content stays: all columns but data, which goes only when the content is in chunks
-- now. An inline file of the same version keeps its checksum.
update tusk.files f
set
  folder_id = g.folder_id,
  filename = g.filename,
  mode = g.mode,
  uid = g.uid,
  gid = g.gid,
  nlink = g.nlink,
  atime_ns = g.atime_ns,
  mtime_ns = g.mtime_ns,
  ctime_ns = g.ctime_ns,
  named_at_ns = case
    when f.folder_id = g.folder_id and f.filename = g.filename then f.named_at_ns
    else g.named_ns
  end,
  has_xattrs = g.has_xattrs,
  rdev = g.rdev,
  size_bytes = g.size_bytes,
  version = g.version,
  holes = g.holes::int8[],
  checksum = case when g.chunked or f.version <> g.version then g.checksum else f.checksum end,
  content_at_ns = g.content_at_ns,
  deleted_at = tusk.ns_to_timestamp(g.deleted_ns),
  deleted_by = g.deleted_by,
  mime_type = coalesce(g.mime_type, f.mime_type),
  data = case when not g.chunked then f.data end
from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
    $9::int8[], $10::int8[], $11::int8[], $12::bool[], $13::int8[], $14::int8[], $15::int8[],
    $16::text[], $17::bytea[], $18::int8[], $19::int8[], $20::int8[], $21::text[], $22::bool[])
  as g(
    id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, named_ns,
    has_xattrs, rdev, size_bytes, version, holes, checksum, content_at_ns, deleted_ns, deleted_by, mime_type,
    chunked)
where f.id = g.id

-- name: add_links
insert into tusk.file_links (file_id, folder_id, name, named_at_ns)
select g.file_id, g.folder_id, g.name, g.at_ns
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[]) as g(file_id, folder_id, name, at_ns)
on conflict (folder_id, name) do update
set file_id = excluded.file_id, named_at_ns = excluded.named_at_ns

-- name: set_xattrs
insert into tusk.xattrs (owner_id, name, value)
select g.owner_id, g.name, g.value
from unnest($1::uuid[], $2::text[], $3::bytea[]) as g(owner_id, name, value)
on conflict (owner_id, name) do update
set value = excluded.value

-- name: remove_xattrs
delete from tusk.xattrs x
using unnest($1::uuid[], $2::text[]) as g(owner_id, name)
where x.owner_id = g.owner_id
  and x.name = g.name

-- name: drop_chunks
-- What a past version may need stays: it goes with the last of these (tusk.sweep_chunks).
select tusk.drop_chunks(
  array_agg(d.file_id),
  array_agg(d.first_no),
  array_agg(d.last_no),
  array_agg(greatest(
    d.from_version,
    (select max(v.version) + 1 from tusk.file_versions v where v.file_id = d.file_id))),
  array_agg(d.below_version))
from unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
  as d(file_id, first_no, last_no, from_version, below_version)

-- name: clear_chunks
select tusk.clear_chunks($1::uuid[], $2::int8[], $3::int8[])

-- name: put_chunks
insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data)
select g.file_id, g.chunk_no, g.version, g.checksum, g.data
from unnest($1::uuid[], $2::int8[], $3::int8[], $4::bytea[], $5::bytea[])
  as g(file_id, chunk_no, version, checksum, data)

-- name: stage
insert into tusk.staging (tenant_id, file_id, version)
select $1::uuid, g.file_id, g.version
from unnest($2::uuid[], $3::int8[]) as g(file_id, version)
on conflict (file_id, version) do nothing

-- name: unstage
delete from tusk.staging s
using unnest($1::uuid[], $2::int8[]) as g(file_id, version)
where s.file_id = g.file_id
  and s.version = g.version

-- name: set_policy
-- What the root sets, all of it. Keys that are not ours stay.
update tusk.tenants
set policy = policy
  - array['versions', 'version_age', 'version_interval', 'trash', 'inline_below', 'external_above']
  || coalesce(
    (select jsonb_object_agg(s.key, s.value)
     from unnest($2::text[], $3::int8[]) as s(key, value)),
    '{}')
where id = $1::uuid
