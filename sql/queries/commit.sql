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

-- name: share_chunks
select tusk.share_chunks(
  $1::uuid[], $2::int8[], $3::int8[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[])

-- name: remove_links
delete from tusk.file_links l
using unnest($1::uuid[], $2::uuid[], $3::text[]) as g(file_id, folder_id, name)
where l.folder_id = g.folder_id
  and l.name = g.name
  and l.file_id = g.file_id

-- name: delete_files
select tusk.delete_files($1::uuid[])

-- name: delete_folders
delete from tusk.folders
where id = any ($1::uuid[])

-- name: delete_folder_xattrs
delete from tusk.xattrs
where owner_id = any ($1::uuid[])

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
  tenant_id, id, parent_id, name, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, has_xattrs)
select
  $1::uuid, g.id, g.parent_id, g.name, g.mode, g.uid, g.gid, g.nlink, g.atime_ns, g.mtime_ns,
  g.ctime_ns, g.has_xattrs
from unnest(
    $2::uuid[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
    $10::int8[], $11::int8[], $12::bool[])
  as g(
    id, parent_id, name, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, has_xattrs)
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
  has_xattrs = excluded.has_xattrs

-- name: upsert_files
-- Files that come with their content (or with none, when it is in chunks).
insert into tusk.files as f (
  tenant_id, id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns,
  has_xattrs, rdev, size_bytes, version, holes, checksum, deleted_at, mime_type, data)
select
  $1::uuid, g.id, g.folder_id, g.filename, g.mode, g.uid, g.gid, g.nlink, g.atime_ns, g.mtime_ns,
  g.ctime_ns, g.has_xattrs, g.rdev, g.size_bytes, g.version, g.holes::int8[], g.checksum,
  case when g.orphan then now() end, g.mime_type, g.data
from unnest(
    $2::uuid[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
    $10::int8[], $11::int8[], $12::bool[], $13::int8[], $14::int8[], $15::int8[], $16::text[],
    $17::bytea[], $18::bool[], $19::text[], $20::bytea[])
  as g(
    id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, has_xattrs, rdev,
    size_bytes, version, holes, checksum, orphan, mime_type, data)
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
  has_xattrs = excluded.has_xattrs,
  rdev = excluded.rdev,
  size_bytes = excluded.size_bytes,
  version = excluded.version,
  holes = excluded.holes,
  checksum = excluded.checksum,
  deleted_at = excluded.deleted_at,
  mime_type = excluded.mime_type,
  storage_type = 'db',
  external_url = null,
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
  has_xattrs = g.has_xattrs,
  rdev = g.rdev,
  size_bytes = g.size_bytes,
  version = g.version,
  holes = g.holes::int8[],
  checksum = case when g.chunked or f.version <> g.version then g.checksum else f.checksum end,
  deleted_at = case when g.orphan then coalesce(f.deleted_at, now()) end,
  mime_type = coalesce(g.mime_type, f.mime_type),
  data = case when not g.chunked then f.data end
from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
    $9::int8[], $10::int8[], $11::bool[], $12::int8[], $13::int8[], $14::int8[], $15::text[],
    $16::bytea[], $17::bool[], $18::text[], $19::bool[])
  as g(
    id, folder_id, filename, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, has_xattrs, rdev,
    size_bytes, version, holes, checksum, orphan, mime_type, chunked)
where f.id = g.id

-- name: add_links
insert into tusk.file_links (file_id, folder_id, name)
select g.file_id, g.folder_id, g.name
from unnest($1::uuid[], $2::uuid[], $3::text[]) as g(file_id, folder_id, name)
on conflict (folder_id, name) do update
set file_id = excluded.file_id

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
select tusk.drop_chunks($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])

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
