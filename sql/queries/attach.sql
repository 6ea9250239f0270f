-- name: find_tenant
-- Attach: the tree by name, no row or one.
select t.id, t.root_id
from tusk.tenants t
where t.name = $1::text

-- name: create_tenant
-- Attach, for the tree 'default' of a new database. Two that race: one row wins.
insert into tusk.tenants (id, name, root_id)
values ($1::uuid, $2::text, $3::uuid)
on conflict (name) do nothing

-- name: create_root
-- Attach: the root of a tree that lacks its row. One that an SQL client made is the first mount's too.
insert into tusk.folders as d (id, tenant_id, parent_id, name, mode, uid, gid)
values ($1::uuid, $2::uuid, $1::uuid, '', 16877, $3::int8, $4::int8)
on conflict (id) do update
set uid = excluded.uid, gid = excluded.gid
where d.uid = 0
  and not exists (select 1 from tusk.mounts m where m.tenant_id = d.tenant_id and m.epoch > 0)

-- name: create_mount
-- Attach: the row of the tree, once in its life.
insert into tusk.mounts (tenant_id)
values ($1::uuid)
on conflict (tenant_id) do nothing

-- name: take_tree
-- Attach and reconnect: true when this session now holds the tree.
select pg_try_advisory_lock(tusk.tree_lock_key($1::uuid))

-- name: holder
-- Attach, when refused, and reconnect: who has the tree; one row.
select
  m.epoch,
  m.last_group,
  m.backend_pid::int8,
  m.host,
  m.pid::int8,
  to_char(m.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from tusk.mounts m
where m.tenant_id = $1::uuid

-- name: end_old_backend
-- Reconnect: ends this mount's former session if that is what still holds the tree.
select pg_terminate_backend(l.pid)
from tusk.sessions_at(tusk.tree_lock_key($1::uuid)) l
join tusk.mounts m
  on m.backend_pid = l.pid
where m.tenant_id = $1::uuid
  and m.epoch = $2::int8
  and l.pid <> pg_backend_pid()
  and l.holds

-- name: open_epoch
-- Attach: a new epoch for the tree's new holder; one row.
update tusk.mounts
set
  epoch = epoch + 1,
  host = $2::text,
  pid = $3::int8,
  backend_pid = pg_backend_pid(),
  mountpoint = $4::text,
  since = now()
where tenant_id = $1::uuid
returning epoch, last_group

-- name: keep_epoch
-- Reconnect: the holder's new backend; no row when another mount has taken the tree meanwhile.
update tusk.mounts
set backend_pid = pg_backend_pid()
where tenant_id = $1::uuid
  and epoch = $2::int8
returning last_group

-- name: purge_staging_chunks
-- Attach: chunks that a mount that died stored ahead and never published.
select tusk.drop_chunks(
  array_agg(s.file_id),
  array_agg(0::int8),
  array_agg(9223372036854775807),
  array_agg(coalesce(f.version + 1, 0)),
  array_agg(9223372036854775807))
from tusk.staging s
left join tusk.files f
  on f.id = s.file_id
where s.tenant_id = $1::uuid
having count(*) > 0

-- name: purge_staging
delete from tusk.staging
where tenant_id = $1::uuid

-- name: purge_orphans
-- Attach: files that a mount that died had unlinked while they were open; how many.
select count(*), tusk.delete_files(array_agg(f.id))
from tusk.files f
where f.tenant_id = $1::uuid
  and f.deleted_at is not null
  and f.deleted_by is null
having count(*) > 0

-- name: scan_freely
-- Attach, before it counts a whole tree.
select set_config('enable_seqscan', 'on', true), set_config('statement_timeout', '0', true)

-- name: recount
-- Attach, after it removed orphans.
update tusk.mounts
set
  files = f.files,
  bytes = f.bytes,
  folders = d.folders
from
  (select count(*) as files, coalesce(sum(size_bytes), 0) as bytes
   from tusk.files
   where tenant_id = $1::uuid
     and deleted_at is null) f,
  (select count(*) as folders
   from tusk.folders
   where tenant_id = $1::uuid
     and deleted_at is null) d
where tenant_id = $1::uuid

-- name: forget_pending_usage
delete from tusk.usage_pending
where tenant_id = $1::uuid

-- name: add_pending_usage
-- Attach: what SQL clients changed since the last mount.
with changed as (
  delete from tusk.usage_pending
  where tenant_id = $1::uuid
  returning files, folders, bytes
)
update tusk.mounts m
set
  files = m.files + c.files,
  folders = m.folders + c.folders,
  bytes = m.bytes + c.bytes
from
  (select sum(files)::int8 as files, sum(folders)::int8 as folders, sum(bytes)::int8 as bytes
   from changed) c
where m.tenant_id = $1::uuid
  and c.files is not null

-- name: usage
-- Attach: one row.
select m.files, m.folders, m.bytes
from tusk.mounts m
where m.tenant_id = $1::uuid

-- name: last_snapshot
-- Attach: one row; 0: there is none.
select coalesce(max(s.taken_at_ns), 0)
from tusk.snapshots s
where s.tenant_id = $1::uuid

-- name: root_folder
-- Attach: one row, with what the tree sets of its policy.
select
  d.id, d.parent_id, d.name, d.mode, d.uid, d.gid, d.nlink, d.atime_ns, d.mtime_ns, d.ctime_ns,
  d.has_xattrs,
  (select string_agg(s.key || '=' || s.value, ' ')
   from tusk.tenants t
   cross join lateral jsonb_each_text(t.policy) s
   where t.id = d.tenant_id
     and s.value ~ '^[0-9]{1,15}$')
from tusk.folders d
where d.id = $1::uuid
