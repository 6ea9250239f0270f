-- The five statements on which most time was spent; empty without pg_stat_statements.
-- total_ms and mean_ms are milliseconds of execution, pct_of_total the share of all execution time.
-- query is the first 100 characters, blanks folded.
select round(total_ms::numeric, 1) as total_ms,
  round((100 * total_ms / nullif(sum(total_ms) over (), 0))::numeric, 1) as pct_of_total,
  calls, round(mean_ms::numeric, 2) as mean_ms, rows,
  left(regexp_replace(query, '\s+', ' ', 'g'), 100) as query,
  case when calls >= 10000 and mean_ms < 5 and rows <= 2 * calls
    then 'many short calls: can one query fetch what they fetch (N+1)?' end as advice
from statements
where calls > 0
order by statements.total_ms desc, query
limit 5
