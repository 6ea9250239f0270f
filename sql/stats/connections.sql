-- Where the connections of clients go, by state, in all databases; the last row is their total.
-- pct_of_max is of max_connections without those reserved for superusers, the column max_usable.
-- longest_s is how many seconds the longest has been in that state. Our own are counted: they take a slot.
with usable as (
  select current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int as slots
), client as (
  select coalesce(state, 'unknown') as state, state_change,
    pid <> pg_backend_pid() and application_name <> 'tusk-stats' as others
  from pg_catalog.pg_stat_activity
  where backend_type = 'client backend'
), counted as (
  select grouping(state) as summed, coalesce(state, 'total') as state, count(*) as connections,
    greatest(extract(epoch from clock_timestamp() - min(state_change)), 0) as longest_s,
    count(*) filter (where others) as others,
    count(*) filter (where others and state = 'idle') as idle
  from client
  group by grouping sets ((state), ())
)
select c.state, c.connections, round(100.0 * c.connections / u.slots, 1) as pct_of_max,
  u.slots as max_usable, case when c.summed = 0 then round(c.longest_s::numeric, 1) end as longest_s,
  case when c.summed = 0 then null
    when 100.0 * c.connections / u.slots > t.warn then 'nearly all slots are taken: pool the connections'
    when c.others >= 20 and 100.0 * c.idle / c.others > i.good
      then 'most connections are idle: a smaller pool would do' end as advice
from counted c
cross join usable u
left join thresholds t on t.name = 'connections'
left join thresholds i on i.name = 'idle_ratio'
order by c.summed, c.connections desc, c.state
