-- The ten statements with the longest mean execution time; empty without pg_stat_statements.
-- mean_ms and total_ms are milliseconds of execution, rows all rows returned or changed.
-- query is the first 80 characters, blanks folded.
select round(mean_ms::numeric, 2) as mean_ms, calls, round(total_ms::numeric, 1) as total_ms, rows,
  left(regexp_replace(query, '\s+', ' ', 'g'), 80) as query,
  case when mean_ms >= 100 then 'EXPLAIN (ANALYZE, BUFFERS): a sequential scan of a big table wants an index,'
    || ' an external sort more work_mem' end as advice
from statements
where calls > 0
order by statements.mean_ms desc, query
limit 10
