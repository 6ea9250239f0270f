-- How many files there are, how many are new this week, how many were changed today: counted when it is
-- refreshed, and read at once. For a database with the schema tusk; tuskfs sidecar --install runs this
-- there (before a tuskfs migrate down to 0: drop materialized view tusk_stats.dashboard_stats).
-- REFRESH … CONCURRENTLY wants a unique index on plain columns: that is what id is for.
create materialized view if not exists tusk_stats.dashboard_stats as
select 1 as id, count(*) as total,
  count(*) filter (where uploaded_at > now() - interval '7 days') as new_this_week,
  count(*) filter (where mtime_ns > extract(epoch from now() - interval '24 hours')::numeric * 1000000000) as active_today,
  now() as counted_at
from tusk.files
where deleted_at is null;
create unique index if not exists dashboard_stats_id on tusk_stats.dashboard_stats (id);
comment on materialized view tusk_stats.dashboard_stats is
  'Files: all, new in the last 7 days, changed in the last 24 hours, as of counted_at. See tusk_stats.refresh_dashboard().';

create or replace function tusk_stats.refresh_dashboard() returns void
language sql set search_path = pg_catalog as 'refresh materialized view concurrently tusk_stats.dashboard_stats';
comment on function tusk_stats.refresh_dashboard() is
  'Counts anew without keeping readers out; for cron or pg_cron. Only the owner of the view may.';
