-- name: load_folders
-- One page of the subfolders of a folder, by name, with what they set of their policy.
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, case when d.has_xattrs then tusk.folder_settings(d.id) end
from tusk.folders d
where d.parent_id = $1::uuid
  and d.parent_id <> d.id
  and d.name > $2::text
  and d.deleted_at is null
order by d.name
limit $3::int8

-- name: load_files
-- One page of the files of a folder, by first name, without their content: its url, or db.
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns
from tusk.files f
where f.folder_id = $1::uuid
  and f.filename > $2::text
  and f.deleted_at is null
order by f.filename
limit $3::int8

-- name: load_linked
-- One page of the further names in a folder, by name, each with its file's row.
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns, l.file_id, l.name
from tusk.file_links l
left join tusk.files f
  on f.id = l.file_id
where l.folder_id = $1::uuid
  and l.name > $2::text
order by l.name
limit $3::int8

-- name: load_inline
-- Content of many small files: a row for each that exists.
select f.id, f.version, f.data, f.checksum, f.size_bytes
from tusk.files f
where f.id = any ($1::uuid[])

-- name: load_chunks
-- Content of a range of chunks as of a version: a row for each that exists, last first (the way
-- the key's index can be walked to meet the newest version of a chunk before the older ones).
select distinct on (c.chunk_no)
  c.chunk_no, c.version, coalesce(c.data, s.data), c.checksum
from tusk.file_chunks c
left join tusk.file_chunks s
  on s.file_id = c.src_file_id
  and s.chunk_no = c.src_chunk_no
  and s.version = c.src_version
where c.file_id = $1::uuid
  and c.chunk_no >= $2::int8
  and c.chunk_no < $3::int8
  and c.version between 0 and $4::int8
  and not c.retained
order by c.chunk_no desc, c.version desc

-- name: load_xattrs
select x.name, x.value
from tusk.xattrs x
where x.owner_id = $1::uuid
order by x.name

-- name: load_links
select l.folder_id, l.name
from tusk.file_links l
where l.file_id = $1::uuid
order by l.folder_id, l.name

-- name: reference_to
-- What keeps a file or folder from being deleted: one row.
select coalesce(tusk.reference_to($1::uuid), '')

-- name: is_owned
-- Whether a folder and everything below it is one user's: one row. Looks at all of it, each folder by
-- index.
with recursive below as (
  select d.id, d.uid
  from tusk.folders d
  where d.id = $1::uuid
  union all
  select c.id, c.uid
  from below b
  cross join lateral (
    select d.id, d.uid
    from tusk.folders d
    where d.parent_id = b.id
      and d.parent_id <> d.id
      and d.deleted_at is null
    offset 0) c
)
select not exists (
  select 1
  from below b
  where b.uid <> $2::int8
    or exists (
      select 1
      from tusk.files f
      where f.folder_id = b.id
        and f.deleted_at is null
        and f.uid <> $2::int8
      offset 0)
    or exists (
      select 1
      from tusk.file_links l
      join tusk.files f
        on f.id = l.file_id
      where l.folder_id = b.id
        and f.uid <> $2::int8
      offset 0))

-- name: folder_size
-- What a clone of a folder has below it, with the second argument not below 0 of one user's: one row.
with recursive below as (
  select $1::uuid as id
  union all
  select c.id
  from below b
  cross join lateral (
    select d.id
    from tusk.folders d
    where d.parent_id = b.id
      and d.parent_id <> d.id
      and d.deleted_at is null
      and ($2::int8 < 0 or d.uid = $2::int8)
    offset 0) c
), held as (
  select f.id
  from below b
  cross join lateral (
    select e.id
    from tusk.files e
    where e.folder_id = b.id
      and e.deleted_at is null
      and ($2::int8 < 0 or e.uid = $2::int8)
    offset 0) f
  union
  select l.file_id
  from below b
  cross join lateral (
    select e.file_id
    from tusk.file_links e
    join tusk.files f
      on f.id = e.file_id
    where e.folder_id = b.id
      and ($2::int8 < 0 or f.uid = $2::int8)
    offset 0) l
)
select
  count(*),
  (select count(*) - 1 from below),
  coalesce(sum(f.size_bytes), 0)::int8
from held h
cross join lateral (
  select e.size_bytes
  from tusk.files e
  where e.id = h.id
  offset 0) f

-- name: trashed_folder
-- As load_folders, one that is in the trash: no row or one.
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, case when d.has_xattrs then tusk.folder_settings(d.id) end
from tusk.folders d
where d.id = $1::uuid
  and d.deleted_at is not null
  and d.deleted_by is not null

-- name: trashed_file
-- As load_files, one that is in the trash: no row or one.
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns
from tusk.files f
where f.id = $1::uuid
  and f.deleted_at is not null
  and f.deleted_by is not null

-- name: trashed_among
-- Whether any of some files went to the trash along with something, and how much that is: one row.
select
  coalesce(bool_or(t.id = any ($2::uuid[])), false),
  count(*) filter (where not t.is_folder),
  count(*) filter (where t.is_folder),
  coalesce(sum(f.size_bytes), 0)::int8
from tusk.trashed_tree($1::uuid) t
left join tusk.files f
  on f.id = t.id

-- name: entry_folders
-- As load_folders, those of some ids that are in the tree.
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, case when d.has_xattrs then tusk.folder_settings(d.id) end
from tusk.folders d
where d.id = any ($1::uuid[])
  and d.deleted_at is null

-- name: entry_files
-- As load_files, those of some ids that are in the tree: found by id, not by the index of live names.
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns
from (select * from tusk.files e where e.id = any ($1::uuid[]) offset 0) f
where f.deleted_at is null

-- name: entry_links
-- The further names of those files.
select l.file_id, l.folder_id, l.name
from tusk.file_links l
where l.file_id = any ($1::uuid[])
order by l.file_id, l.folder_id, l.name
