-- What alerts are about, as it is now: severity NULL is below warn; calm is below 90 % of warn.
-- The disk is what a driver on the server's machine says (the setting tusk.disk), as SQL does not see it.
with seen as (
  select component, value, unit, good, crit, score, advisory,
    coalesce(warn, (good + crit) / 2) as warn
  from health_components
), total as (
  select pg_database_size(current_database())::float8 as bytes
), invalid as (
  select count(*)::float8 as indexes, min(i.indexrelid::regclass::text) as one
  from pg_catalog.pg_index i
  where not i.indisvalid
    and not exists (select 1 from pg_catalog.pg_stat_progress_create_index p
      where p.index_relid = i.indexrelid)
), archiver as (
  select last_failed_wal, current_setting('archive_mode') <> 'off'
    and last_failed_time > coalesce(last_archived_time, '-infinity') as fails
  from pg_catalog.pg_stat_archiver
), disk as (
  select (d ->> 'percent')::float8 as percent, d ->> 'path' as path, (d ->> 'free')::int8 as free
  from (select nullif(current_setting('tusk.disk', true), '')::jsonb as d) told
), migration as (
  select a.pid, extract(epoch from clock_timestamp() - a.xact_start) / 60 as minutes
  from pg_catalog.pg_locks l
  join pg_catalog.pg_stat_activity a
    on a.pid = l.pid
  cross join (select hashtextextended('tuskfs migrate', 0) as key) k
  where l.locktype = 'advisory'
    and l.granted
    and l.objsubid = 1
    and l.classid = ((k.key >> 32) & 4294967295)::oid
    and l.objid = (k.key & 4294967295)::oid
    and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and a.xact_start < clock_timestamp() - interval '10 minutes'
  order by 2 desc
  limit 1
)
select component as name, value, unit,
  case when score = 0 and not advisory then 'critical' when score <= 0.5 then 'warning' end as severity,
  case when score = 0 and not advisory then crit else warn end as threshold,
  score = 1 or score > 0.5 and case when crit < good then 100 - value < 0.9 * (100 - warn)
    else value < 0.9 * warn end as calm,
  format('%s is %s %s', component, value, unit) as message
from seen
where score is not null
union all
select 'db_total_bytes', bytes, 'bytes',
  case when bytes >= 100 * 2.0 ^ 30 then 'critical' when bytes >= 50 * 2.0 ^ 30 then 'warning' end,
  case when bytes >= 100 * 2.0 ^ 30 then 100 else 50 end * 2.0 ^ 30,
  bytes < 45 * 2.0 ^ 30,
  format('the database holds %s', pg_size_pretty(bytes::int8))
from total
union all
select 'archiver', 1, 'failing', 'critical', 1, false,
  format('WAL is not archived since %s', last_failed_wal)
from archiver
where fails
union all
select 'invalid_index', indexes, 'indexes', 'warning', 1, false,
  format('%s is not valid: reindex index concurrently, or drop it', one)
from invalid
where indexes > 0
union all
-- Where nobody tells, it stays as it is: not known is not good.
select 'disk', percent, '%',
  case when percent >= 98 then 'critical' when percent >= 90 then 'warning' end,
  case when percent >= 98 then 98 else 90 end,
  coalesce(percent < 81, false),
  format('the disk of %s is %s %% full, %s are left', path, percent, pg_size_pretty(free))
from disk
union all
select 'migration', round(minutes::numeric, 1)::float8, 'min', 'warning', 10, false,
  format('a migration of the schema has been running for %s minutes, in backend %s',
    round(minutes::numeric), pid)
from migration
union all
select name, value, unit, severity, threshold, calm, message
from alert_tree
union all
-- What it takes on disk holds dead rows too; this much means that nobody sweeps.
select 'cache_bytes', bytes, 'bytes',
  case when bytes >= 2 * max_bytes then 'critical' when bytes >= 1.5 * max_bytes then 'warning' end,
  case when bytes >= 2 * max_bytes then 2 else 1.5 end * max_bytes,
  bytes < 1.35 * max_bytes,
  format('the cache takes %s on disk, max_bytes is %s', pg_size_pretty(bytes::int8),
    pg_size_pretty(max_bytes::int8))
from alert_cache
