-- The same columns without rows, where pg_stat_statements is not installed.
select /* tusk-stats */ null::text as query, null::int8 as calls, null::float8 as total_ms, null::float8 as mean_ms,
  null::int8 as rows
where false
