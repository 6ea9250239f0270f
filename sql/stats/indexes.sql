-- Unused indexes first, then the biggest. unused: over 1 MiB, never scanned since the statistics
-- began and serving no constraint; NULL while the statistics are younger than 7 days or on a standby.
-- Scans on standbys are not seen here. bytes is the size of the index, stats_days the statistics' age.
-- advice is how to drop an unused one, undo how to have it again.
with held as (
  select relation
  from pg_catalog.pg_locks
  where locktype = 'relation' and mode = 'AccessExclusiveLock'
    and database = (select oid from pg_catalog.pg_database where datname = current_database())
), counted as (
  select extract(epoch from clock_timestamp()
      - coalesce(d.stats_reset, b.stats_reset, pg_postmaster_start_time())) / 86400 as days
  from pg_catalog.pg_stat_database d, pg_catalog.pg_stat_bgwriter b
  where d.datname = current_database()
), listed as (
  select s.schemaname, s.relname, s.indexrelname, s.indexrelid, s.idx_scan,
    (to_jsonb(s) ->> 'last_idx_scan')::timestamptz as last_scan,
    case when not i.indisvalid then 'invalid' when i.indisprimary then 'primary'
      when i.indisexclusion then 'exclusion' when i.indisunique then 'unique'
      when c.relispartition then 'partition' else 'plain' end as kind,
    h.locked,
    case when h.locked then c.relpages::int8 * current_setting('block_size')::int8
      else pg_relation_size(s.indexrelid) end as bytes
  from pg_catalog.pg_stat_user_indexes s
  join pg_catalog.pg_index i using (indexrelid)
  join pg_catalog.pg_class c on c.oid = s.indexrelid
  cross join lateral (
    select exists (select 1 from held where relation in (s.relid, s.indexrelid)) as locked) as h
  where s.schemaname not like 'pg\_temp\_%'
), judged as (
  select l.*, n.days,
    case when n.days >= 7 and not pg_is_in_recovery()
      then l.kind = 'plain' and l.idx_scan = 0 and l.bytes > 1048576 end as unused
  from listed l left join counted n on true
  order by unused desc nulls last, l.bytes desc nulls last, l.schemaname, l.indexrelname
  limit 40
)
select schemaname::text as schema_name, relname::text as table_name, indexrelname::text as index_name,
  kind, bytes, pg_size_pretty(bytes) as size, idx_scan as scans, last_scan, unused,
  round(days::numeric, 1) as stats_days,
  case when unused then format('DROP INDEX CONCURRENTLY %I.%I;', schemaname, indexrelname)
    when kind = 'invalid' then format('REINDEX INDEX CONCURRENTLY %I.%I;', schemaname, indexrelname)
  end as advice,
  case when unused and not locked then pg_get_indexdef(indexrelid) || ';' end as undo
from judged
order by unused desc nulls last, bytes desc nulls last, schemaname, indexrelname
