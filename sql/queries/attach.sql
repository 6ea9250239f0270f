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

-- name: share_tree
-- Attach and reconnect: true when this session shares the tree with other mounts; false: somebody has it
-- for repair or removal.
select pg_try_advisory_lock_shared(tusk.tree_lock_key($1::uuid))

-- name: take_tree
-- Repair and removal: true when this session has the tree for itself.
select pg_try_advisory_lock(tusk.tree_lock_key($1::uuid))

-- name: mounts_of
-- Who has a tree mounted, by number: mounts that are there first.
select m.epoch, m.host, m.pid, m.mountpoint,
  to_char(m.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  a.is_alive
from tusk.mount_sessions m
cross join lateral (select tusk.is_alive(m.tenant_id, m.epoch) as is_alive) a
where m.tenant_id = $1::uuid
order by not a.is_alive, m.epoch

-- name: tree_holder
-- For people: who has a tree for itself; no row or one.
select a.pid::int8, coalesce(a.usename, ''), coalesce(a.application_name, '')
from tusk.sessions_at(tusk.tree_lock_key($1::uuid)) l
join pg_catalog.pg_stat_activity a
  on a.pid = l.pid
where l.holds
  and l.is_exclusive
limit 1

-- name: end_old_backend
-- Reconnect: ends this mount's former session, of which the server has not heard that it is gone.
select pg_terminate_backend(m.backend_pid)
from tusk.mount_sessions m
where m.tenant_id = $1::uuid
  and m.epoch = $2::int8
  and m.backend_pid <> pg_backend_pid()
  and exists (
    select 1
    from tusk.sessions_at(tusk.session_key(m.tenant_id, m.epoch)) l
    where l.holds
      and l.pid = m.backend_pid)

-- name: end_old_watch
-- The same of the session that looked out for others.
select pg_terminate_backend(m.watch_pid)
from tusk.mount_sessions m
where m.tenant_id = $1::uuid
  and m.epoch = $2::int8
  and m.watch_pid <> pg_backend_pid()
  and exists (
    select 1
    from tusk.sessions_at(tusk.presence_key(m.tenant_id)) l
    where l.holds
      and l.pid = m.watch_pid)

-- name: open_epoch
-- Attach: one more mount of the tree; one row.
with given as (
  update tusk.mounts
  set epoch = epoch + 1
  where tenant_id = $1::uuid
  returning epoch
)
insert into tusk.mount_sessions (tenant_id, epoch, backend_pid, host, pid, mountpoint)
select $1::uuid, g.epoch, pg_backend_pid(), $2::text, $3::int8, $4::text
from given g
returning epoch

-- name: take_session
-- Attach and reconnect: true when this session is the one of the mount.
select pg_try_advisory_lock(tusk.session_key($1::uuid, $2::int8))

-- name: keep_epoch
-- Reconnect: the mount's new backend; no row when it was given up meanwhile.
update tusk.mount_sessions
set backend_pid = pg_backend_pid(), gone_since = null, seen_at = clock_timestamp()
where tenant_id = $1::uuid
  and epoch = $2::int8
returning last_group

-- name: forget_mounts
-- Mounts that will not come back, by number.
select tusk.forget_mounts($1::uuid, $2::int8[])

-- name: forget_all_mounts
-- Repair: whoever is without a connection must not go on with what it remembers.
select tusk.forget_mounts($1::uuid, array(
  select m.epoch from tusk.mount_sessions m where m.tenant_id = $1::uuid))

-- name: note_absent_mounts
select tusk.note_absent_mounts($1::uuid)

-- name: purge_staging_chunks
-- Attach: chunks that a mount which does not come back stored ahead and never published.
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
  and not exists (
    select 1
    from tusk.mount_sessions m
    where m.tenant_id = s.tenant_id
      and m.epoch = s.epoch)
having count(*) > 0

-- name: purge_staging
delete from tusk.staging s
where s.tenant_id = $1::uuid
  and not exists (
    select 1
    from tusk.mount_sessions m
    where m.tenant_id = s.tenant_id
      and m.epoch = s.epoch)

-- name: purge_orphans
-- Attach and janitor: files without a name that no mount has open any more; how many. Who has one open
-- needs a moment to say so.
select tusk.purge_orphans($1::uuid, make_interval(secs => $2::int8))

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

-- name: tree_quota
-- Attach, and now and then: no row when the tree is gone. Null: no limit.
select t.quota_bytes, t.quota_files
from tusk.tenants t
where t.id = $1::uuid

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
