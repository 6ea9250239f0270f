-- Statements about objects outside the database.

-- name: objects_place
-- Attach: where a tree's objects are, and whether it has any; one row.
select
  t.objects_place,
  exists (select 1 from tusk.objects o where o.tenant_id = t.id and o.state <> 'writing')
from tusk.tenants t
where t.id = $1::uuid

-- name: move_objects
select tusk.move_objects($1::uuid, $2::text)

-- name: begin_objects
select tusk.begin_objects($1::uuid, $2::int8, $3::uuid[], $4::text[])

-- name: store_objects
-- In a group: the objects are durable from before it. A row that a crash of the server has undone
-- is made again.
insert into tusk.objects as o (tenant_id, id, epoch, url, size_bytes, sums, state)
select $1::uuid, g.id, g.epoch, g.url, g.size_bytes, g.sums, 'stored'
from unnest($2::uuid[], $3::int8[], $4::text[], $5::int8[], $6::bytea[])
  as g(id, epoch, url, size_bytes, sums)
on conflict (id) do update
set size_bytes = excluded.size_bytes, sums = excluded.sums, state = 'stored'

-- name: object_sums
-- A range of an object's checksums, by number: no row or one.
select substring(o.sums from ($2::int8 * 8 + 1)::integer for ($3::int8 * 8)::integer)
from tusk.objects o
where o.id = $1::uuid

-- name: drop_objects
-- Objects that may be removed.
select d.id
from tusk.drop_objects($1::uuid, now(), make_interval(secs => $2::int8)) d

-- name: forget_objects
-- They have been removed.
delete from tusk.objects where id = any ($1::uuid[])

-- name: try_lock_objects
-- Whoever removes objects holds this lock; a backup shares it, so that none goes while it copies.
select pg_try_advisory_lock(hashtextextended('tuskfs objects', 0))

-- name: unlock_objects
select pg_advisory_unlock(hashtextextended('tuskfs objects', 0))

-- name: hold_objects
-- Until the session ends.
select pg_advisory_lock_shared(hashtextextended('tuskfs objects', 0))

-- name: stored_objects
-- A page of a tree's objects that are stored, by id, after one of them.
select o.id, o.size_bytes
from tusk.objects o
where o.tenant_id = $1::uuid
  and o.id > $2::uuid
  and o.state = 'stored'
order by o.id
limit 5000

-- name: known_objects
-- Which ones of some objects are noted, in whatever state.
select o.id
from tusk.objects o
where o.id = any ($1::uuid[])

-- name: referenced_objects
-- A page of a tree's objects that files or versions refer to, by id, after one of them.
select o.id
from tusk.objects o
where o.tenant_id = $1::uuid
  and o.id > $2::uuid
  and tusk.is_referenced(o.url)
order by o.id
limit 5000

-- name: forget_places
-- Restore: objects are where they are restored to, and only those that are referred to are there.
update tusk.tenants t
set objects_place = null
where not exists (
  select 1
  from tusk.objects o
  where o.tenant_id = t.id
    and tusk.is_referenced(o.url))

-- name: forget_unreferenced
delete from tusk.objects o
where not tusk.is_referenced(o.url)
