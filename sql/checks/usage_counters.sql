-- The counters of a tree, with what SQL clients changed since its last mount, are what counting
-- what is not in the trash gives; files unlinked while open may or may not be in them.
select m.tenant_id, m.files, m.folders, m.bytes, c.live_files, c.open_files, d.live_folders,
  c.live_bytes, c.open_bytes
from tusk.mounts m
cross join lateral (
  select
    count(*) filter (where f.deleted_at is null) as live_files,
    count(*) filter (where f.deleted_by is null) as open_files,
    coalesce(sum(f.size_bytes) filter (where f.deleted_at is null), 0) as live_bytes,
    coalesce(sum(f.size_bytes) filter (where f.deleted_by is null), 0) as open_bytes
  from tusk.files f
  where f.tenant_id = m.tenant_id) c
cross join lateral (
  select count(*) as live_folders
  from tusk.folders d
  where d.tenant_id = m.tenant_id and d.deleted_at is null) d
cross join lateral (
  select
    coalesce(sum(p.files), 0) as files,
    coalesce(sum(p.folders), 0) as folders,
    coalesce(sum(p.bytes), 0) as bytes
  from tusk.usage_pending p
  where p.tenant_id = m.tenant_id) p
where m.files + p.files not between c.live_files and c.open_files
  or m.folders + p.folders <> d.live_folders
  or m.bytes + p.bytes not between c.live_bytes and c.open_bytes
