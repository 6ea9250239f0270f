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

-- name: list_versions
-- The contents that a file has had, the present one first.
select
  f.version, f.size_bytes, f.content_at_ns, null::int8, f.mtime_ns, f.uid, f.mode, f.data is null,
  f.holes, f.checksum, coalesce(f.external_url, f.storage_type)
from tusk.files f
where f.id = $1::uuid
union all
select
  v.version, v.size_bytes, v.content_at_ns, v.until_ns, v.mtime_ns, v.uid, v.mode,
  v.data is null, v.holes, v.checksum, coalesce(v.external_url, v.storage_type)
from tusk.file_versions v
where v.file_id = $1::uuid
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

-- name: take_snapshot
-- A row when the name was free.
insert into tusk.snapshots (tenant_id, name, taken_at_ns)
select t.id, $2::text, tusk.now_ns()
from tusk.tenants t
where t.name = $1::text
on conflict do nothing
returning taken_at_ns

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
