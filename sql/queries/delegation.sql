-- Who may write in a tree: its mount, or SQL clients. See migration 0006.

-- name: try_delegation
-- Attach: true when this session now holds it.
select pg_try_advisory_lock(tusk.delegation_key($1::uuid))

-- name: take_delegation
-- Waits in the queue with everybody else, as long as lock_timeout allows.
select pg_advisory_lock(tusk.delegation_key($1::uuid))

-- name: give_delegation
select pg_advisory_unlock(tusk.delegation_key($1::uuid))

-- name: delegation_wanted
-- The mount that holds it asks, again and again: whether somebody waits, and whether a mount holds it
-- at all. One row.
select
  coalesce(bool_or(not l.holds), false),
  coalesce(bool_or(l.holds and l.is_exclusive), false)
from tusk.sessions_at(tusk.delegation_key($1::uuid)) l

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

-- name: delegation_holder
-- For people: who writes, the oldest transaction first; no row or one.
select
  a.pid::int8, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
  coalesce(extract(epoch from clock_timestamp() - a.xact_start)::int8, 0)
from tusk.sessions_at(tusk.delegation_key($1::uuid)) l
join pg_catalog.pg_stat_activity a
  on a.pid = l.pid
where l.holds
  and l.pid <> pg_backend_pid()
order by a.xact_start
limit 1

-- name: last_change
-- One row. Nobody is in the middle of a change while this session holds the delegation.
select coalesce(max(c.id), 0)
from tusk.changes c

-- name: changes_since
-- Rows with a number above one, each file and folder once.
select distinct on (c.entry_id) c.entry_id, c.id
from tusk.changes c
where c.id > $1::int8
order by c.entry_id, c.id desc

-- name: prune_changes
delete from tusk.changes c
where c.id in (select o.id from tusk.changes o order by o.id limit 10000)
  and c.changed_at < now() - interval '1 hour'
