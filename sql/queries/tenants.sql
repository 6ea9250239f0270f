-- Trees: made, listed, renamed and removed by tuskfs tenant.

-- name: tenant_facts
-- Every tree, and who has it mounted.
select
  t.name,
  (coalesce(m.files, 0) + p.files)::int8,
  (coalesce(m.folders, 1) + p.folders)::int8,
  (coalesce(m.bytes, 0) + p.bytes)::int8,
  to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  coalesce((
    select string_agg(
      format(
        'host %s pid %s at %s since %s', s.host, s.pid, s.mountpoint,
        to_char(s.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
      ', ' order by s.epoch)
    from tusk.mount_sessions s
    where s.tenant_id = t.id
      and tusk.is_alive(t.id, s.epoch)), ''),
  coalesce(t.quota_bytes, -1),
  coalesce(t.quota_files, -1)
from tusk.tenants t
left join tusk.mounts m
  on m.tenant_id = t.id
cross join lateral (
  select
    coalesce(sum(n.files), 0) as files, coalesce(sum(n.folders), 0) as folders,
    coalesce(sum(n.bytes), 0) as bytes
  from tusk.usage_pending n
  where n.tenant_id = t.id) p
order by t.name

-- name: add_tenant
-- No row when there is one of this name.
insert into tusk.tenants (name, root_id)
values ($1::text, tusk.uuid_v7())
on conflict (name) do nothing
returning id, root_id

-- name: rename_tenant
update tusk.tenants
set name = $2::text
where name = $1::text
returning id

-- name: set_quota
-- Below 0: no limit.
select tusk.set_quota(
  $1::text, case when $2::int8 >= 0 then $2::int8 end, case when $3::int8 >= 0 then $3::int8 end)

-- name: check_usage
-- Of one tree, or of all where no name is given; whether to repair.
select
  u.tenant_name, u.files, u.folders, u.bytes, u.live_files, u.live_folders, u.live_bytes
from tusk.check_usage(nullif($1::text, ''), $2::bool) u

-- name: tenant_is_empty
-- Nothing but its root, not even in the trash.
select
  not exists (select 1 from tusk.files f where f.tenant_id = $1::uuid)
  and not exists (select 1 from tusk.folders d where d.tenant_id = $1::uuid and d.parent_id <> d.id)

-- name: tenant_objects
select count(*)
from tusk.objects o
where o.tenant_id = $1::uuid

-- name: remove_some_files
-- How many went; to be asked until none does.
with part as (
  select f.id
  from tusk.files f
  where f.tenant_id = $1::uuid
  limit 5000
)
select count(*), tusk.delete_files(array_agg(s.id))
from part s
having count(*) > 0

-- name: remove_some_folders
with part as (
  select d.id
  from tusk.folders d
  where d.tenant_id = $1::uuid
  limit 5000
)
select count(*), tusk.delete_folders(array_agg(s.id))
from part s
having count(*) > 0

-- name: remove_tenant_snapshots
delete from tusk.snapshots
where tenant_id = $1::uuid

-- name: remove_tenant_mount
delete from tusk.mounts
where tenant_id = $1::uuid

-- name: remove_tenant
delete from tusk.tenants
where id = $1::uuid
