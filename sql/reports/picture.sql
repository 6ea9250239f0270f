-- What the statistics are now, as one document: of each {"columns": [], "rows": [[]], "advice": []},
-- in arrays, as jsonb keeps no order of keys. rows_now has a row of each statistic as JSON.
with cells as (
  select r.statistic, r.place, e.key, e.value, e.position
  from rows_now r
  cross join lateral json_each(r.cells) with ordinality as e (key, value, position)
), rows as (
  select statistic, place, jsonb_agg(key order by position) as columns,
    jsonb_agg(value order by position) as cells
  from cells
  where key <> 'advice'
  group by statistic, place
), advice as (
  select statistic, jsonb_agg(said order by place) as said
  from (
    select statistic, value #>> '{}' as said, min(place) as place
    from cells
    where key = 'advice' and json_typeof(value) = 'string'
    group by statistic, value #>> '{}'
  ) as each
  group by statistic
), sections as (
  select r.statistic, jsonb_build_object(
    'columns', (jsonb_agg(r.columns order by r.place)) -> 0,
    'rows', jsonb_agg(r.cells order by r.place),
    'advice', coalesce((select a.said from advice a where a.statistic = r.statistic), '[]')) as section
  from rows r
  group by r.statistic
)
select coalesce(jsonb_object_agg(statistic, section), '{}') as picture
from sections
