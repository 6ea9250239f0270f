-- Big tables which are mostly read from end to end: of 10000 rows and more, with less than 95 % of
-- their scans by index; those which read the most rows first.
-- rows_per_scan is rows read by a sequential scan on average, index_pct the share of scans by index,
-- bytes the size of the heap at the last VACUUM or ANALYZE.
select s.schemaname::text as schema_name, s.relname::text as table_name, s.n_live_tup as live_rows,
  c.relpages::int8 * current_setting('block_size')::int8 as bytes,
  s.seq_scan as seq_scans, s.seq_tup_read as rows_read,
  round(s.seq_tup_read::numeric / s.seq_scan, 0) as rows_per_scan, coalesce(s.idx_scan, 0) as index_scans,
  round(100.0 * coalesce(s.idx_scan, 0) / (s.seq_scan + coalesce(s.idx_scan, 0)), 1) as index_pct,
  'look for a WHERE without an index; EXPLAIN the queries on this table' as advice
from pg_catalog.pg_stat_user_tables s
join pg_catalog.pg_class c on c.oid = s.relid and c.relkind in ('r', 'm')
where s.n_live_tup >= 10000 and s.seq_scan > 0 and s.schemaname not like 'pg\_temp\_%'
  and 100.0 * coalesce(s.idx_scan, 0) / (s.seq_scan + coalesce(s.idx_scan, 0)) < 95
order by s.seq_tup_read desc, s.schemaname, s.relname
limit 10
