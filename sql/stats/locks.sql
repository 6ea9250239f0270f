-- Who blocks whom, the longest wait first; one row for each blocked and blocking pair, in all databases.
-- waiting_s is how many seconds the lock has been awaited (before PostgreSQL 14: since the query began),
-- blocking_xact_s the age of the blocking transaction. blocking_pid is 0 for a prepared transaction.
-- relation is named only for locks of this database. Queries are cut to 80 characters.
with waiting as (
  select l.*, case when to_jsonb(l) ? 'waitstart' then (to_jsonb(l) ->> 'waitstart')::timestamptz end
    as since, to_jsonb(l) ? 'waitstart' as knows
  from pg_catalog.pg_locks l
  where not l.granted
)
select w.pid as blocked_pid, a.usename::text as blocked_user,
  a.application_name as blocked_application, a.datname::text as database,
  greatest(round(extract(epoch from clock_timestamp()
    - case when w.knows then coalesce(w.since, clock_timestamp()) else a.query_start end)::numeric, 1), 0)
    as waiting_s,
  w.locktype, w.mode as lock_mode,
  case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as relation,
  b.pid as blocking_pid, o.usename::text as blocking_user, o.application_name as blocking_application,
  o.state as blocking_state,
  round(extract(epoch from clock_timestamp() - o.xact_start)::numeric, 1) as blocking_xact_s,
  left(regexp_replace(a.query, '\s+', ' ', 'g'), 80) as blocked_query,
  left(regexp_replace(o.query, '\s+', ' ', 'g'), 80) as blocking_query
from waiting w
join pg_catalog.pg_stat_activity a on a.pid = w.pid
cross join lateral (select distinct unnest(pg_blocking_pids(w.pid)) as pid) as b
left join pg_catalog.pg_stat_activity o on o.pid = b.pid
left join pg_catalog.pg_class c on c.oid = w.relation
  and w.database = (select oid from pg_catalog.pg_database where datname = current_database())
left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where w.pid <> pg_backend_pid() and a.application_name <> 'tusk-stats'
order by waiting_s desc, blocked_pid, blocking_pid
limit 50
