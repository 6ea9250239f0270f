-- The health of this database in one row: score 0 to 100, status ok (90 and more), warning (50 and
-- more) or critical, the weighted mean of the components before the cap, the cap (100, 89 or 49)
-- and its reason. A component at its critical value caps the score at 49, one at or past warn at 89.
with component as materialized (
  -- Looked at once: between two looks a score may change.
  select * from health_components
), mean as (
  select round((100 * sum(weight * score) / nullif(sum(weight), 0))::numeric) as points
  from component
  where score is not null
), caps (cap, reason) as (
  select case when score = 0 then 49 else 89 end,
    format('%s %s %s is %s %s', component, value, unit,
      case when score = 0 then 'critical, limit' else 'past warn' end,
      case when score = 0 then crit else warn end)
  from component
  where not advisory and score <= 0.5
  union all
  select 49, format('archiver failing since %s', last_failed_wal)
  from pg_catalog.pg_stat_archiver
  where current_setting('archive_mode') <> 'off'
    and last_failed_time > coalesce(last_archived_time, '-infinity')
), capped as (
  select coalesce(min(cap), 100) as cap, string_agg(reason, '; ' order by cap, reason) as reason
  from caps
), rated as (
  select least(m.points, c.cap)::int as score, m.points::int as mean, c.cap, c.reason
  from mean m, capped c
)
select case when mean is null then null else score end as score,
  case when mean is null then 'unknown' when score >= 90 then 'ok' when score >= 50 then 'warning'
    else 'critical' end as status,
  mean, cap, reason
from rated
