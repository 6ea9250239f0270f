-- Statements about what was.

-- name: collect_garbage
-- A batch of what need not be kept any longer; one row.
select g.files, g.folders, g.versions, g.has_more
from tusk.collect_garbage($1::uuid, now(), 5000) g

-- name: past_tenant
-- The tree of a name: no row or one.
select t.id
from tusk.tenants t
where t.name = $1::text

-- name: resolve_at
-- What a path named at a moment: no row or one.
select e.id, e.is_folder, e.name
from tusk.resolve_at($1::text, $2::int8, $3::text) e

-- name: last_seen
-- Null when the path never named anything.
select tusk.last_seen($1::text, $2::text)

-- name: folder_at
-- What a folder held at a moment.
select e.id, e.is_folder, e.name
from tusk.folder_at($1::uuid, $2::int8) e
order by e.name

-- name: folder_meta
-- Of a folder, also one in the trash: no row or one.
select d.mode, d.uid, d.gid, d.mtime_ns
from tusk.folders d
where d.id = $1::uuid

-- name: list_versions
-- The contents that a file has had, the present one first, each with what made it: created, restored
-- (it is what an older version was: the last column), edited (a chunk of the version before is still
-- part of it; the first, middle and last are looked at) or overwritten.
with contents as (
  select
    f.version, f.size_bytes, f.content_at_ns, null::int8 as until_ns, f.mtime_ns, f.uid, f.mode,
    f.data is null as in_chunks, f.holes, f.checksum,
    f.content_at_ns <= tusk.timestamp_to_ns(f.uploaded_at) as is_first,
    coalesce(f.external_url, f.storage_type) as place
  from tusk.files f
  where f.id = $1::uuid
  union all
  select
    v.version, v.size_bytes, v.content_at_ns, v.until_ns, v.mtime_ns, v.uid, v.mode,
    v.data is null, v.holes, v.checksum, v.content_at_ns <= tusk.timestamp_to_ns(f.uploaded_at),
    coalesce(v.external_url, v.storage_type)
  from tusk.file_versions v
  join tusk.files f
    on f.id = v.file_id
  where v.file_id = $1::uuid
)
select
  c.version, c.size_bytes, c.content_at_ns, c.until_ns, c.mtime_ns, c.uid, c.mode, c.in_chunks,
  c.holes, c.checksum, c.place,
  case
    when c.is_first then 'created'
    when o.version is not null then 'restored'
    when c.in_chunks and exists (
      select 1
      from unnest(array[
        0, (c.size_bytes - 1) / 65536 / 2, (c.size_bytes - 1) / 65536]) as n(chunk_no)
      cross join lateral (
        select r.version
        from tusk.file_chunks r
        where r.file_id = $1::uuid
          and r.chunk_no = n.chunk_no
          and r.version between 0 and c.version
          and not r.retained
        order by r.version desc
        limit 1) r
      where r.version <= before.version) then 'edited'
    else 'overwritten'
  end,
  o.version
from contents c
left join lateral (
  select max(e.version) as version
  from contents e
  where e.version < c.version) before
  on true
left join lateral (
  select max(e.version) as version
  from contents e
  where e.version < c.version
    and e.size_bytes = c.size_bytes
    and e.checksum = c.checksum) o
  on true
order by 1 desc

-- name: list_events
-- What happened to the names of a file, the latest first: renamed (from, to), unlinked (of several
-- names one went), deleted (by whom).
select h.until_ns,
  case when n.name is null then 'unlinked' else 'renamed' end,
  coalesce(tusk.past_path(h.folder_id), '') || '/' || h.name,
  coalesce(tusk.past_path(n.folder_id), '') || '/' || n.name,
  null::int8
from tusk.path_history h
left join lateral (
  select f.folder_id, f.filename as name
  from tusk.files f
  where f.id = h.entry_id
    and f.named_at_ns = h.until_ns
  union all
  select l.folder_id, l.name
  from tusk.file_links l
  where l.file_id = h.entry_id
    and l.named_at_ns = h.until_ns
  union all
  select e.folder_id, e.name
  from tusk.path_history e
  where e.entry_id = h.entry_id
    and e.since_ns = h.until_ns
  limit 1) n
  on true
where h.entry_id = $1::uuid
union all
select tusk.timestamp_to_ns(f.deleted_at), 'deleted', tusk.past_path(f.id), null, f.deleted_by
from tusk.files f
where f.id = $1::uuid
  and f.deleted_by is not null
order by 1 desc

-- name: inline_version
-- Content of a version that is kept inline: no row or one.
select f.data
from tusk.files f
where f.id = $1::uuid
  and f.version = $2::int8
union all
select v.data
from tusk.file_versions v
where v.file_id = $1::uuid
  and v.version = $2::int8

-- name: list_trash
-- What is in the trash of a tree, the latest first.
select t.path, t.is_folder, t.size_bytes, tusk.timestamp_to_ns(t.deleted_at), t.deleted_by
from tusk.trash t
where t.tenant = $1::text
order by t.deleted_at desc, t.path

-- name: remove_snapshot
-- A row when there was one.
delete from tusk.snapshots s
using tusk.tenants t
where t.name = $1::text
  and s.tenant_id = t.id
  and s.name = $2::text
returning s.taken_at_ns

-- name: list_snapshots
select s.name, s.taken_at_ns
from tusk.snapshots s
join tusk.tenants t
  on t.id = s.tenant_id
where t.name = $1::text
order by s.taken_at_ns
