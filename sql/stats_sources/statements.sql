-- What this database was asked, over all users. The mark within the text is how our own
-- questions are known again: they are left out.
select /* tusk-stats */ min(query) as query, sum(calls)::int8 as calls,
  sum(total_exec_time) as total_ms, sum(total_exec_time) / nullif(sum(calls), 0)::float8 as mean_ms,
  sum(rows)::int8 as rows
from pg_stat_statements
where dbid = (select oid from pg_catalog.pg_database where datname = current_database())
  and coalesce(query, '') not like '%/* tusk-stats */%'
group by queryid
