-- What the health score is made of, one row for each component.
-- value, good, warn and crit are in the unit beside them. score is 1 at good or better, 0.5 at warn,
-- 0 at crit, with straight lines between; NULL is "cannot be measured here" and takes the weight out.
-- An advisory component counts but never caps the score.
with client as (
  select state, xact_start,
    pid = pg_backend_pid() or application_name = 'tusk-stats' as ours
  from pg_catalog.pg_stat_activity
  where backend_type = 'client backend'
), heap as (
  select sum(heap_blks_hit) as hit, sum(heap_blks_hit) + sum(heap_blks_read) as seen
  from pg_catalog.pg_statio_user_tables
), dead as (
  select max(100.0 * n_dead_tup / greatest(n_live_tup, 1)) as pct
  from pg_catalog.pg_stat_user_tables
  -- Only their own session can vacuum temporary tables.
  where n_dead_tup >= 1000 and schemaname not like 'pg\_temp\_%'
), wal as (
  -- A standby answers for its own replay, and for those which follow it.
  select case when pg_is_in_recovery()
      then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
      else pg_current_wal_lsn() end as here
), behind as (
  select pg_wal_lsn_diff(w.here, r.replay_lsn) as bytes
  from wal w, pg_catalog.pg_stat_replication r
  union all
  select pg_wal_lsn_diff(w.here, pg_last_wal_replay_lsn())
  from wal w
  where pg_is_in_recovery()
), waiting as (
  -- pg_locks has had waitstart since 14; before, the start of the query has to do.
  select extract(epoch from clock_timestamp() - case when to_jsonb(l) ? 'waitstart'
      then (to_jsonb(l) ->> 'waitstart')::timestamptz else a.query_start end) as seconds
  from pg_catalog.pg_locks l
  join pg_catalog.pg_stat_activity a using (pid)
  where not l.granted and a.pid <> pg_backend_pid() and a.application_name <> 'tusk-stats'
), counted as (
  -- Statistics which nobody ever reset are as old as those of the server.
  select clock_timestamp() - coalesce(d.stats_reset, b.stats_reset, pg_postmaster_start_time())
      >= interval '7 days' and not pg_is_in_recovery() as long_enough
  from pg_catalog.pg_stat_database d, pg_catalog.pg_stat_bgwriter b
  where d.datname = current_database()
), indexes as (
  -- Pages as of the last VACUUM or ANALYZE: asking for the size of a locked index would wait.
  select 100.0 * coalesce(sum(c.relpages) filter (
      where s.idx_scan = 0 and not i.indisunique and not i.indisexclusion and i.indisvalid
        and not c.relispartition
        and c.relpages::int8 * current_setting('block_size')::int8 > 1048576), 0)
    / nullif(sum(c.relpages), 0) as unused_pct
  from pg_catalog.pg_stat_user_indexes s
  join pg_catalog.pg_index i using (indexrelid)
  join pg_catalog.pg_class c on c.oid = s.indexrelid
  where s.schemaname not like 'pg\_temp\_%'
), measured (place, component, value, unit, weight, advisory, sense) as (
  select 1, 'cache_hit', case when seen >= 10000 then 100 * hit / seen end, '%', 20, false, -1
  from heap
  union all
  -- A slot is a slot: our own connections count here.
  select 2, 'connections', 100.0 * count(*) / (current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int), '%', 20, false, 1
  from client
  union all
  select 3, 'dead_tuples', case when not pg_is_in_recovery() then coalesce(pct, 0) end, '%', 15, false, 1
  from dead
  union all
  select 4, 'replication_lag', case when count(bytes) > 0
      then greatest(max(bytes), 0) / 1048576 end, 'MB', 10, false, 1
  from behind
  union all
  select 5, 'oldest_xact', coalesce(max(extract(epoch from clock_timestamp() - xact_start))
      filter (where not ours), 0)::numeric, 's', 10, false, 1
  from client
  union all
  select 6, 'xid_age', 100 * max(age(datfrozenxid)) / 2147483648.0, '%', 10, false, 1
  from pg_catalog.pg_database
  where datallowconn
  union all
  select 7, 'blocked', count(*) filter (where seconds > 5), 'backends', 5, false, 1
  from waiting
  union all
  select 8, 'idle_ratio', case when count(*) filter (where not ours) >= 20
      then 100.0 * count(*) filter (where state = 'idle' and not ours)
        / count(*) filter (where not ours) end, '%', 5, true, 1
  from client
  union all
  select 9, 'unused_index', case when c.long_enough then i.unused_pct end, '%', 5, true, 1
  from indexes i left join counted c on true
)
select m.component, round(m.value, 2)::float8 as value, m.unit, m.weight, m.advisory,
  t.good, t.warn, t.crit,
  round(case
    when s.x is null or s.crit is null or s.good is null then null
    when s.x >= s.crit then 0
    when s.x >= s.warn then 0.5 * (s.crit - s.x) / (s.crit - s.warn)
    when s.x <= s.good then 1
    when s.warn is null then 1 - (s.x - s.good) / (s.crit - s.good)
    else 1 - 0.5 * (s.x - s.good) / (s.warn - s.good)
  end::numeric, 4)::float8 as score
from measured m
left join thresholds t on t.name = m.component
-- Turned so that more is worse, and in order even where somebody set warn below good.
cross join lateral (
  select m.sense * m.value::float8 as x, m.sense * t.warn as warn, m.sense * t.crit as crit,
    least(m.sense * t.good, m.sense * t.warn, m.sense * t.crit) as good) as s
order by m.place
