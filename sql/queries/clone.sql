-- What a group does for tuskfs clone, before everything else in it.

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
