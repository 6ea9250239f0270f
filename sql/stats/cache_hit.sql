-- How many blocks were found in shared buffers, since the statistics began: of tables (the share the
-- health score uses), of indexes, of TOAST, and of everything in this database.
-- hits and reads are blocks; hit_pct is hits in 100 accesses, NULL where nothing was accessed.
with seen (place, kind, hits, reads) as (
  select 1, 'tables', sum(heap_blks_hit), sum(heap_blks_read) from pg_catalog.pg_statio_user_tables
  union all
  select 2, 'indexes', sum(idx_blks_hit), sum(idx_blks_read) from pg_catalog.pg_statio_user_tables
  union all
  select 3, 'toast', sum(toast_blks_hit + coalesce(tidx_blks_hit, 0)),
    sum(toast_blks_read + coalesce(tidx_blks_read, 0))
  from pg_catalog.pg_statio_user_tables
  union all
  select 4, 'database', sum(blks_hit), sum(blks_read)
  from pg_catalog.pg_stat_database
  where datname = current_database()
), shares as (
  select place, kind, coalesce(hits, 0)::int8 as hits, coalesce(reads, 0)::int8 as reads,
    round(100 * hits / nullif(hits + reads, 0), 2) as hit_pct
  from seen
)
select s.kind, s.hits, s.reads, s.hit_pct,
  case when s.kind <> 'tables' or s.hits + s.reads < 10000 then null
    when s.hit_pct < t.warn then 'the working set does not fit: raise shared_buffers or look for missing indexes'
    when s.hit_pct > t.good then 'the working set fits in memory' end as advice
from shares s
left join thresholds t on t.name = 'cache_hit'
order by s.place
