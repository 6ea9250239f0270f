-- Trees: made, listed, renamed and removed by tuskfs tenant.

-- name: tenant_facts
-- Every tree; who has it mounted is whoever holds its lock.
select
  t.name,
  coalesce(m.files, 0),
  coalesce(m.folders, 1),
  coalesce(m.bytes, 0),
  to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  case when exists (select 1 from tusk.sessions_at(tusk.tree_lock_key(t.id)) l where l.holds)
  then format(
    'host %s pid %s at %s since %s', m.host, m.pid, m.mountpoint,
    to_char(m.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  else '' end
from tusk.tenants t
left join tusk.mounts m
  on m.tenant_id = t.id
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
