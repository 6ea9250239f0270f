-- The ten biggest tables of this database, and any other whose dead rows are past the threshold.
-- total_bytes is the table with its indexes and TOAST. dead_pct is dead rows for every 100 live ones,
-- as autovacuum reckons, so it may exceed 100. Rows are the statistics' estimates. Temporary tables
-- are left out.
with held as (
  -- Asking for the size of what is locked exclusively would wait: such tables show their last known pages.
  select distinct coalesce(t.oid, i.indrelid, l.relation) as relid
  from pg_catalog.pg_locks l
  left join pg_catalog.pg_index i on i.indexrelid = l.relation
  left join pg_catalog.pg_class t on t.reltoastrelid = coalesce(i.indrelid, l.relation)
  where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
    and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
), sized as (
  select s.schemaname, s.relname, s.n_live_tup, s.n_dead_tup,
    case when h.relid is null then pg_total_relation_size(s.relid)
      else c.relpages::int8 * current_setting('block_size')::int8 end as bytes,
    round(100.0 * s.n_dead_tup / greatest(s.n_live_tup, 1), 1) as dead_pct,
    greatest(s.last_vacuum, s.last_autovacuum) as last_vacuum
  from pg_catalog.pg_stat_user_tables s
  join pg_catalog.pg_class c on c.oid = s.relid and c.relkind in ('r', 'm')
  left join held h on h.relid = s.relid
  where s.schemaname not like 'pg\_temp\_%'
), ranked as (
  select z.*, row_number() over (order by z.bytes desc nulls last, z.schemaname, z.relname) as place,
    z.n_dead_tup >= 1000 and z.dead_pct > t.warn as bloated
  from sized z
  left join thresholds t on t.name = 'dead_tuples'
)
select schemaname::text as schema_name, relname::text as table_name, bytes as total_bytes,
  pg_size_pretty(bytes) as total_size, n_live_tup as live_rows, n_dead_tup as dead_rows, dead_pct,
  last_vacuum, case when bloated then format('VACUUM ANALYZE %I.%I;', schemaname, relname) end as advice
from ranked
where place <= 10 or bloated
order by place
limit 40
