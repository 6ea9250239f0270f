-- Who may write in a tree: its mount, or SQL clients. See migration 0006.

-- name: take_delegation
-- Waits in the queue with everybody else, as long as lock_timeout allows.
select pg_advisory_lock(tusk.delegation_key($1::uuid))

-- name: give_delegation
select pg_advisory_unlock(tusk.delegation_key($1::uuid))

-- name: delegation_wanted
-- The mount that holds it asks, again and again: whether somebody waits, and whether it holds it at
-- all. One row.
select
  coalesce(bool_or(not l.holds), false),
  coalesce(bool_or(l.holds and l.is_exclusive and l.pid = m.backend_pid), false)
from tusk.sessions_at(tusk.delegation_key($1::uuid)) l
left join tusk.mount_sessions m
  on m.tenant_id = $1::uuid
  and m.epoch = $2::int8

-- name: has_references
-- Whether rows of applications can keep something of a tree from being deleted: one row. Foreign keys
-- have triggers at the tables that they refer to.
select
  exists (
    select 1
    from pg_catalog.pg_trigger t
    where t.tgrelid in ('tusk.files'::regclass, 'tusk.folders'::regclass)
      and t.tgconstrrelid <> 0)
  and (select t.policy->>'on_reference' from tusk.tenants t where t.id = $1::uuid)
    is distinct from 'trash'

-- name: ping
select 1

-- name: delegation_writer
-- For people: who writes, or waits to, the oldest transaction first; no row or one.
select
  a.pid::int8, coalesce(a.usename, ''), coalesce(a.application_name, ''),
  coalesce(m.host || ':' || m.mountpoint, ''), coalesce(a.state, ''),
  coalesce(extract(epoch from clock_timestamp() - a.xact_start)::int8, 0)
from tusk.sessions_at(tusk.delegation_key($1::uuid)) l
join pg_catalog.pg_stat_activity a
  on a.pid = l.pid
left join tusk.mount_sessions m
  on m.backend_pid = l.pid
where l.holds = $2::bool
  and l.pid <> pg_backend_pid()
order by a.xact_start
limit 1

-- name: changes_since
-- What others than this mount changed in transactions that had not ended when it looked last, and where
-- to go on from the next time; at least one row. Some of it may be known already.
select h.xact::text::int8, c.entry_id, c.id, c.xact::text::int8
from (select pg_snapshot_xmin(pg_current_snapshot()) as xact) h
left join tusk.changes c
  on c.xact >= $1::int8::text::xid8
  and c.epoch is distinct from $2::int8

-- name: prune_changes
-- Not what a mount may not have seen yet.
delete from tusk.changes c
where c.id in (select o.id from tusk.changes o order by o.id limit 10000)
  and c.changed_at < now() - interval '1 hour'
  and not exists (
    select 1
    from tusk.mount_sessions m
    where m.seen_xact::text::xid8 <= c.xact)

-- Whether a mount is alone with its tree. See migration 0010.

-- name: note_watch
-- The session that looks out for others.
update tusk.mount_sessions
set watch_pid = pg_backend_pid()
where tenant_id = $1::uuid
  and epoch = $2::int8

-- name: note_seen
-- While others wait for this mount, and now and then: that it is at work, and which changes it knows.
update tusk.mount_sessions
set seen_at = clock_timestamp(), seen_xact = $3::int8
where tenant_id = $1::uuid
  and epoch = $2::int8

-- name: look_around
-- A mount asks again and again: whether somebody else waits to look at the tree.
select coalesce(bool_or(not l.holds), false)
from tusk.sessions_at(tusk.presence_key($1::uuid)) l

-- name: be_alone
-- True when nobody else looks at the tree.
select pg_try_advisory_lock(tusk.presence_key($1::uuid))

-- name: be_present
-- Waits, as long as lock_timeout allows, for a mount that is alone.
select pg_advisory_lock_shared(tusk.presence_key($1::uuid))

-- name: end_being_alone
select pg_advisory_unlock(tusk.presence_key($1::uuid))

-- name: end_being_present
select pg_advisory_unlock_shared(tusk.presence_key($1::uuid))

-- name: listen
-- The session that looks out hears when others have changed something, or want something.
listen tusk_changes

-- name: call_out
-- Before waiting for other mounts: they look around at once. Which mount calls.
select pg_notify('tusk_changes', $1::int8::text)

-- name: wait_briefly
-- For the rest of the transaction.
select set_config('lock_timeout', '2s', true)

-- name: end_frozen_mounts
-- Who waits for longer than a moment: ends the sessions of mounts that hold what is waited for, the
-- delegation or the presence, and do not say that they are at work. How many.
select count(pg_terminate_backend(b.pid))
from tusk.mount_sessions m
cross join lateral (values (m.backend_pid), (m.watch_pid)) b (pid)
where m.tenant_id = $1::uuid
  and m.epoch <> $2::int8
  and m.seen_at < clock_timestamp() - make_interval(secs => $3::int8)
  and exists (
    select 1
    from tusk.sessions_at(tusk.session_key(m.tenant_id, m.epoch)) l
    where l.holds
      and l.pid = m.backend_pid)
  and exists (
    select 1
    from (values (tusk.delegation_key(m.tenant_id)), (tusk.presence_key(m.tenant_id))) k (key)
    cross join lateral tusk.sessions_at(k.key) l
    where l.holds
      and l.is_exclusive
      and l.pid in (m.backend_pid, m.watch_pid))

-- name: other_mounts
-- How many other mounts a tree has, or may have again; one row.
select count(*)
from tusk.mount_sessions m
where m.tenant_id = $1::uuid
  and m.epoch <> $2::int8
