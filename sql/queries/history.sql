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

-- name: diff_moments
-- What differs between a tree at two moments, below a folder of both: rows of kind (added, deleted,
-- renamed, changed), path, former path, and whether it is a folder. Both trees are walked whole.
with recursive old as (
  select $1::uuid as id, true as is_folder, null::uuid as parent, ''::text as name, ''::text as path
  union all
  select e.id, e.is_folder, o.id, e.name, o.path || '/' || e.name
  from old o
  cross join lateral tusk.folder_at(o.id, $2::int8) e
  where o.is_folder
), new as (
  select $1::uuid as id, true as is_folder, null::uuid as parent, ''::text as name, ''::text as path
  union all
  select e.id, e.is_folder, n.id, e.name, n.path || '/' || e.name
  from new n
  cross join lateral tusk.folder_at(n.id, $3::int8) e
  where n.is_folder
), gone as (
  select o.*, row_number() over (partition by o.id order by o.path) as nth
  from old o
  where not exists (
    select 1 from new n where n.id = o.id and n.parent = o.parent and n.name = o.name)
    and o.parent is not null
), come as (
  select n.*, row_number() over (partition by n.id order by n.path) as nth
  from new n
  where not exists (
    select 1 from old o where o.id = n.id and o.parent = n.parent and o.name = n.name)
    and n.parent is not null
), contents as (
  -- Of each file, the versions that it had then and then: the last that had begun.
  select f.id,
    (select max(v.version)
     from (
       select f.version, f.content_at_ns
       union all
       select h.version, h.content_at_ns from tusk.file_versions h where h.file_id = f.id) v
     where v.content_at_ns <= $2::int8) as before,
    (select max(v.version)
     from (
       select f.version, f.content_at_ns
       union all
       select h.version, h.content_at_ns from tusk.file_versions h where h.file_id = f.id) v
     where v.content_at_ns <= $3::int8) as after
  from (select distinct n.id from new n where not n.is_folder) e
  join tusk.files f
    on f.id = e.id
  where f.content_at_ns > $2::int8
)
select 'renamed', c.path, g.path, c.is_folder
from come c
join gone g
  on g.id = c.id
  and g.nth = c.nth
union all
select 'added', c.path, null, c.is_folder
from come c
where not exists (select 1 from gone g where g.id = c.id and g.nth = c.nth)
union all
select 'deleted', g.path, null, g.is_folder
from gone g
where not exists (select 1 from come c where c.id = g.id and c.nth = g.nth)
union all
select 'changed', n.path, null, false
from contents t
join new n
  on n.id = t.id
where t.before is distinct from t.after
  and exists (select 1 from old o where o.id = t.id)
order by 2, 1

-- name: space_below
-- Bytes below a folder, further names not counted: one row.
with recursive below as (
  select d.id
  from tusk.folders d
  where d.id = $1::uuid
  union all
  select d.id
  from below b
  join tusk.folders d
    on d.parent_id = b.id
    and d.parent_id <> d.id
), held as (
  select f.id, f.size_bytes, f.storage_type, f.deleted_at is null as is_live
  from below b
  join tusk.files f
    on f.folder_id = b.id
  where f.deleted_at is null
    or f.deleted_by is not null
), past as (
  select count(*) as count, coalesce(sum(v.size_bytes), 0) as bytes
  from held h
  join tusk.file_versions v
    on v.file_id = h.id
)
select
  count(*) filter (where h.is_live and h.storage_type = 'db'),
  coalesce(sum(h.size_bytes) filter (where h.is_live and h.storage_type = 'db'), 0)::int8,
  count(*) filter (where h.is_live and h.storage_type = 'external'),
  coalesce(sum(h.size_bytes) filter (where h.is_live and h.storage_type = 'external'), 0)::int8,
  count(*) filter (where not h.is_live),
  coalesce(sum(h.size_bytes) filter (where not h.is_live), 0)::int8,
  (select p.count from past p),
  (select p.bytes from past p)::int8
from held h
