-- Statements of the tree .tusk. What they list has the columns of load_files (of a folder, those of
-- load_folders filled up), then is_folder, until_ns, deleted_by. Names are asked for as a range, so
-- that one name costs one descent of an index: both ends the name, or '' and what is above all.

-- name: past_root
-- The root of a tree that was there at a moment: no row or one.
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs
from tusk.tenants t
join tusk.folders d
  on d.id = t.root_id
where t.id = $1::uuid
  and tusk.timestamp_to_ns(t.created_at) <= $2::int8

-- name: moment_folder
-- What a folder held at a moment, files with the content of then.
with entries as (
  select d.id, true as is_folder, d.name
  from tusk.folders d
  where d.parent_id = $1::uuid
    and d.parent_id <> d.id
    and d.name between $3::text and $4::text
    and d.deleted_at is null
    and d.named_at_ns <= $2::int8
  union all
  select d.id, true, d.name
  from tusk.folders d
  where d.parent_id = $1::uuid
    and d.name between $3::text and $4::text
    and d.deleted_at is not null
    and d.named_at_ns <= $2::int8
    and tusk.timestamp_to_ns(d.deleted_at) > $2::int8
  union all
  select f.id, false, f.filename
  from tusk.files f
  where f.folder_id = $1::uuid
    and f.filename between $3::text and $4::text
    and f.deleted_at is null
    and f.named_at_ns <= $2::int8
  union all
  select f.id, false, f.filename
  from tusk.files f
  where f.folder_id = $1::uuid
    and f.filename between $3::text and $4::text
    and f.deleted_at is not null
    and f.deleted_by is not null
    and f.named_at_ns <= $2::int8
    and tusk.timestamp_to_ns(f.deleted_at) > $2::int8
  union all
  select l.file_id, false, l.name
  from tusk.file_links l
  where l.folder_id = $1::uuid
    and l.name between $3::text and $4::text
    and l.named_at_ns <= $2::int8
  union all
  select h.entry_id, h.is_folder, h.name
  from tusk.path_history h
  where h.folder_id = $1::uuid
    and h.name between $3::text and $4::text
    and h.since_ns <= $2::int8
    and h.until_ns > $2::int8
)
select
  d.id, d.parent_id, e.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, 0::int8, 0::int8, 0::int8, false, null::int8[], null::bytea, 'db', 0::int8,
  true, $2::int8, null::int8
from entries e
join tusk.folders d
  on d.id = e.id
where e.is_folder
union all
select
  f.id, f.folder_id, e.name, coalesce(v.mode, f.mode), coalesce(v.uid, f.uid), f.gid, f.nlink,
  f.atime_ns, coalesce(v.mtime_ns, f.mtime_ns), coalesce(v.content_at_ns, f.ctime_ns),
  f.has_xattrs, f.rdev, coalesce(v.size_bytes, f.size_bytes), coalesce(v.version, f.version),
  case when v.version is null then f.data is null else v.in_chunks end,
  case when v.version is null then f.holes else v.holes end,
  case when v.version is null then f.checksum else v.checksum end,
  case
    when v.version is null then coalesce(f.external_url, f.storage_type)
    else coalesce(v.external_url, v.storage_type)
  end,
  coalesce(v.content_at_ns, f.content_at_ns),
  false, $2::int8, null::int8
from entries e
join tusk.files f
  on f.id = e.id
left join lateral (
  -- The content of then is the last that had begun; failing that, the oldest there is.
  select o.version, o.mode, o.uid, o.mtime_ns, o.content_at_ns, o.size_bytes, o.holes, o.checksum,
    o.storage_type, o.external_url, o.data is null as in_chunks
  from tusk.file_versions o
  where o.file_id = f.id
    and f.content_at_ns > $2::int8
  order by o.content_at_ns <= $2::int8 desc, abs(o.content_at_ns - $2::int8)
  limit 1) v
  on true
where not e.is_folder

-- name: history_folders
-- The names that folders have held, each folder up to a moment: a row for each thing that had one.
with parents as (
  select p.id, p.until_ns
  from unnest($1::uuid[], $2::int8[]) as p(id, until_ns)
), named as (
  select d.id, true as is_folder, d.name, d.named_at_ns as since_ns, p.until_ns
  from parents p
  join tusk.folders d
    on d.parent_id = p.id
  where d.parent_id <> d.id
    and d.name between $3::text and $4::text
    and d.deleted_at is null
  union all
  select d.id, true, d.name, d.named_at_ns,
    least(p.until_ns, tusk.timestamp_to_ns(d.deleted_at))
  from parents p
  join tusk.folders d
    on d.parent_id = p.id
  where d.name between $3::text and $4::text
    and d.deleted_at is not null
  union all
  select f.id, false, f.filename, f.named_at_ns, p.until_ns
  from parents p
  join tusk.files f
    on f.folder_id = p.id
  where f.filename between $3::text and $4::text
    and f.deleted_at is null
  union all
  select f.id, false, f.filename, f.named_at_ns,
    least(p.until_ns, tusk.timestamp_to_ns(f.deleted_at))
  from parents p
  join tusk.files f
    on f.folder_id = p.id
  where f.filename between $3::text and $4::text
    and f.deleted_at is not null
    and f.deleted_by is not null
  union all
  select l.file_id, false, l.name, l.named_at_ns, p.until_ns
  from parents p
  join tusk.file_links l
    on l.folder_id = p.id
  where l.name between $3::text and $4::text
  union all
  select h.entry_id, h.is_folder, h.name, h.since_ns, least(p.until_ns, h.until_ns)
  from parents p
  join tusk.path_history h
    on h.folder_id = p.id
  where h.name between $3::text and $4::text
), entries as (
  select n.id, n.is_folder, n.name, max(n.until_ns) as until_ns
  from named n
  where n.since_ns <= n.until_ns
  group by n.id, n.is_folder, n.name
)
select
  d.id, d.parent_id, e.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, 0::int8, 0::int8, 0::int8, false, null::int8[], null::bytea, 'db', 0::int8,
  true, e.until_ns, null::int8
from entries e
join tusk.folders d
  on d.id = e.id
where e.is_folder
union all
select
  f.id, f.folder_id, e.name, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns, false, e.until_ns, null::int8
from entries e
join tusk.files f
  on f.id = e.id
where not e.is_folder

-- name: history_versions
-- The contents that files have had, each file up to a moment, oldest first.
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns, false, p.until_ns, null::int8
from unnest($1::uuid[], $2::int8[]) as p(id, until_ns)
join tusk.files f
  on f.id = p.id
where f.content_at_ns <= p.until_ns
union all
select
  f.id, f.folder_id, f.filename, v.mode, v.uid, f.gid, f.nlink, f.atime_ns, v.mtime_ns,
  v.content_at_ns, f.has_xattrs, f.rdev, v.size_bytes, v.version, v.data is null, v.holes,
  v.checksum, coalesce(v.external_url, v.storage_type), v.content_at_ns, false, v.until_ns, null::int8
from unnest($1::uuid[], $2::int8[]) as p(id, until_ns)
join tusk.files f
  on f.id = p.id
join tusk.file_versions v
  on v.file_id = f.id
where v.content_at_ns <= p.until_ns
order by 19, 1, 14

-- name: trash_tops
-- What was deleted by itself, not along with its folder; until_ns is when. What lay under a folder
-- that not everybody may pass is its owner's alone, as it is no longer behind that folder.
with recursive trashed as (
  select f.id, f.folder_id, f.deleted_at, false as is_folder
  from tusk.files f
  where f.tenant_id = $1::uuid
    and f.deleted_at is not null
    and f.deleted_by is not null
  union all
  select d.id, d.parent_id, d.deleted_at, true
  from tusk.folders d
  where d.tenant_id = $1::uuid
    and d.deleted_at is not null
    and d.deleted_by is not null
), siblings as (
  select t.folder_id, array_agg(t.id) as ids,
    array_agg(tusk.timestamp_to_ns(t.deleted_at)) as times, array_agg(t.is_folder) as kinds
  from trashed t
  group by t.folder_id
), judged as materialized (
  select s.ids, s.times, s.kinds,
    (select tusk.deletion_began(p.id)
     from tusk.folders p
     where p.id = s.folder_id
       and p.deleted_at is not null) as folder_went_ns,
    (with recursive above as (
       select p.id, p.parent_id, p.mode
       from tusk.folders p
       where p.id = s.folder_id
       union
       select p.id, p.parent_id, p.mode
       from above a
       join tusk.folders p
         on p.id = a.parent_id)
     select case when bool_and(a.mode & 1 = 1) then -1 else ~63 end
     from above a) as shown_mode
  from siblings s
), tops as (
  select e.id, e.at_ns, e.is_folder, j.shown_mode
  from judged j
  cross join lateral unnest(j.ids, j.times, j.kinds) as e(id, at_ns, is_folder)
  where j.folder_went_ns is null
    or e.at_ns < j.folder_went_ns
)
select
  d.id, d.parent_id, d.name, d.mode & t.shown_mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns,
  d.ctime_ns, d.has_xattrs, 0::int8, 0::int8, 0::int8, false, null::int8[], null::bytea, 'db',
  0::int8, true, t.at_ns, d.deleted_by
from tops t
join tusk.folders d
  on d.id = t.id
where t.is_folder
union all
select
  f.id, f.folder_id, f.filename, f.mode & t.shown_mode, f.uid, f.gid, f.nlink, f.atime_ns,
  f.mtime_ns, f.ctime_ns, f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes,
  f.checksum, coalesce(f.external_url, f.storage_type), f.content_at_ns, false, t.at_ns, f.deleted_by
from tops t
join tusk.files f
  on f.id = t.id
where not t.is_folder
order by 21, 3, 1

-- name: trash_folder
-- What a folder in the trash held when its removal began.
with removal as materialized (
  select tusk.ns_to_timestamp(tusk.deletion_began($1::uuid)) as began
)
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs, 0::int8, 0::int8, 0::int8, false, null::int8[], null::bytea, 'db', 0::int8,
  true, tusk.timestamp_to_ns(d.deleted_at), d.deleted_by
from removal r
join tusk.folders d
  on d.parent_id = $1::uuid
where d.deleted_at is not null
  and d.deleted_by is not null
  and d.deleted_at >= r.began
union all
select
  f.id, f.folder_id, f.filename, f.mode, f.uid, f.gid, f.nlink, f.atime_ns, f.mtime_ns, f.ctime_ns,
  f.has_xattrs, f.rdev, f.size_bytes, f.version, f.data is null, f.holes, f.checksum,
  coalesce(f.external_url, f.storage_type), f.content_at_ns, false, tusk.timestamp_to_ns(f.deleted_at), f.deleted_by
from removal r
join tusk.files f
  on f.folder_id = $1::uuid
where f.deleted_at is not null
  and f.deleted_by is not null
  and f.deleted_at >= r.began
order by 21, 3, 1

-- name: past_path
select tusk.past_path($1::uuid)

-- name: past_snapshots
select s.name, s.taken_at_ns
from tusk.snapshots s
where s.tenant_id = $1::uuid
  and s.name between $2::text and $3::text
order by s.name

-- name: snapshot_at
-- A row when the name was free.
insert into tusk.snapshots (tenant_id, name, taken_at_ns)
values ($1::uuid, $2::text, $3::int8)
on conflict do nothing
returning taken_at_ns

-- name: forget_snapshot
-- A row when there was one.
delete from tusk.snapshots s
where s.tenant_id = $1::uuid
  and s.name = $2::text
returning s.taken_at_ns

-- name: purge_trashed
-- Removes a file or an empty folder from the trash of a tree for good: see the function.
select tusk.purge_trashed($1::uuid, $2::uuid)
