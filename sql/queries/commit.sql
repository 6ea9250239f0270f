-- Statements of a transaction group. Each takes parallel arrays, one element a row of the group, at
-- most some hundreds of rows or about a megabyte at a time.

-- name: begin_group
-- One row: log positions, see the function. Where commits wait for standbys, what is safe on this disk
-- alone is not safe yet.
select
  case when current_setting('synchronous_standby_names') = '' then b.flushed else 0 end,
  b.written
from tusk.begin_group($1::uuid, $2::int8, $3::int8, $4::bool, $5::int8, $6::int8, $7::int8) b

-- name: log_positions
-- One row, as of begin_group, and whether commits wait for standbys: while nothing is written, until all
-- groups are safe; and at the end of a group, which tells how much it wrote.
select
  case
    when current_setting('synchronous_standby_names') = ''
      then (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8
    else 0
  end,
  (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
  current_setting('synchronous_standby_names') <> ''

-- name: await_standbys
-- While nothing is written: a commit that the standbys confirm, and with it all before.
update tusk.mount_sessions
set backend_pid = pg_backend_pid()
where tenant_id = $1::uuid
  and epoch = $2::int8

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
-- Files that this mount lets go of; what another one has open stays until that lets go of it as well.
with let_go as (
  delete from tusk.sustained s
  where s.epoch = $1::int8
    and s.file_id = any ($2::uuid[])
)
select tusk.delete_files(array_agg(g.id))
from unnest($2::uuid[]) as g(id)
where not exists (
  select 1
  from tusk.sustained s
  where s.file_id = g.id
    and s.epoch <> $1::int8)
having count(*) > 0

-- name: sustain
insert into tusk.sustained (tenant_id, epoch, file_id)
select $1::uuid, $2::int8, unnest($3::uuid[])
on conflict do nothing

-- name: unsustain
delete from tusk.sustained s
where s.epoch = $2::int8
  and s.tenant_id = $1::uuid
  and s.file_id = any ($3::uuid[])

-- name: note_changes
-- Where the tree has other mounts: what the group changed. They are called when it commits.
with noted as (
  insert into tusk.changes (entry_id, epoch)
  select i.id, $1::int8
  from unnest($2::uuid[]) as i (id)
)
select pg_notify('tusk_changes', $1::int8::text)

-- name: note_changes_below
-- The same of all that is in folders, and of these.
with recursive below (id, is_folder) as (
  select d.id, true
  from tusk.folders d
  where d.id = any ($2::uuid[])
  union all
  select e.id, e.is_folder
  from below b
  cross join lateral (
    select d.id, true
    from tusk.folders d
    where d.parent_id = b.id
      and d.parent_id <> d.id
      and d.deleted_at is null
    union all
    select f.id, false
    from tusk.files f
    where f.folder_id = b.id
      and f.deleted_at is null) e (id, is_folder)
  where b.is_folder
)
insert into tusk.changes (entry_id, epoch)
select distinct b.id, $1::int8
from below b

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

-- name: restore_trashed
-- Something, the folder and name that it gets, the time.
select tusk.restore_trashed($1::uuid, $2::uuid, $3::text, $4::int8)

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
-- What a past version may need stays: it goes with the last of these (tusk.sweep_chunks). While another
-- mount is cut off all stays: what that has changed of a content rests on it.
select tusk.drop_chunks(
  array_agg(d.file_id),
  array_agg(d.first_no),
  array_agg(d.last_no),
  array_agg(greatest(
    d.from_version,
    (select max(v.version) + 1 from tusk.file_versions v where v.file_id = d.file_id))),
  array_agg(d.below_version))
from unnest($2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::int8[])
  as d(file_id, first_no, last_no, from_version, below_version)
where not exists (
  select 1
  from tusk.mount_sessions m
  where m.tenant_id = $1::uuid
    and m.backend_pid <> pg_backend_pid()
    and not tusk.is_alive(m.tenant_id, m.epoch))
having count(*) > 0

-- name: clear_chunks
select tusk.clear_chunks($1::uuid[], $2::int8[], $3::int8[])

-- name: put_chunks
insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data)
select g.file_id, g.chunk_no, g.version, g.checksum, g.data
from unnest($1::uuid[], $2::int8[], $3::int8[], $4::bytea[], $5::bytea[])
  as g(file_id, chunk_no, version, checksum, data)

-- name: set_aside_staged
-- Where the tree has other mounts: this one's, and the files it writes. A mount that is cut off may have
-- stored chunks ahead under the number that the next version gets now: they wait under an id of their
-- own (move_staged).
with theirs as materialized (
  select s.file_id, s.version,
    md5(s.file_id || ' ' || s.version || ' ' || s.epoch)::uuid as aside
  from tusk.staging s
  where s.epoch <> $1::int8
    and s.file_id = any ($2::uuid[])
), led as (
  update tusk.staging s
  set file_id = t.aside
  from theirs t
  where s.file_id = t.file_id
    and s.version = t.version
)
update tusk.file_chunks c
set file_id = t.aside
from theirs t
where c.file_id = t.file_id
  and c.version = t.version

-- name: stage
insert into tusk.staging (tenant_id, file_id, version, epoch)
select $1::uuid, g.file_id, g.version, g.epoch
from unnest($2::uuid[], $3::int8[], $4::int8[]) as g(file_id, version, epoch)
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
