-- What the report is asked for where nothing is kept: this week as it is now, without one before.
select to_char(now() at time zone 'UTC', 'IYYY-"W"IW') as week,
  date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' as begins,
  (date_trunc('week', now() at time zone 'UTC') + interval '7 days') at time zone 'UTC' as ends,
  clock_timestamp() as taken_at, picture, null::timestamptz as before_at, null::jsonb as before,
  null::json as alerts, null::json as trend,
  'no captures are kept, so nothing is compared: tuskfs sidecar --install makes the tables for them' as notice,
  current_database()::text as database,
  'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) as server
from picture
