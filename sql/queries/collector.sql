-- Sessions that collect statistics: they create nothing, and nobody waits for them.

-- name: collector_settings
-- The schema of pg_stat_statements is where its owner put it.
select
  set_config('application_name', 'tusk-stats', false),
  set_config('statement_timeout', '5s', false),
  set_config('lock_timeout', '100ms', false),
  set_config('default_transaction_read_only', 'on', false),
  set_config('TimeZone', 'UTC', false),
  set_config('search_path', 'pg_catalog' || coalesce((
    select ', ' || quote_ident(n.nspname)
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n
      on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
      and n.nspname <> 'pg_catalog'), ''), false)

-- name: collector_facts
-- Database, version, and whether pg_stat_statements answers: it must be loaded with the server too.
select
  current_database(),
  split_part(current_setting('server_version'), ' ', 1),
  exists (select 1 from pg_catalog.pg_extension where extname = 'pg_stat_statements')
    and current_setting('pg_stat_statements.max', true) is not null

-- name: collector_sources
-- What can be read: thresholds that somebody has set, how large the trees are, the cache.
select
  coalesce(has_schema_privilege(to_regnamespace('tusk_stats'), 'usage')
    and has_table_privilege(to_regclass('tusk_stats.own_thresholds'), 'select'), false),
  coalesce(has_schema_privilege(to_regnamespace('tusk'), 'usage')
    and has_table_privilege(to_regclass('tusk.tenants'), 'select')
    and has_table_privilege(to_regclass('tusk.mounts'), 'select'), false),
  coalesce(has_schema_privilege(to_regnamespace('tusk_cache'), 'usage')
    and has_table_privilege(to_regclass('tusk_cache.cache'), 'select')
    and has_table_privilege(to_regclass('tusk_cache.settings'), 'select'), false)

-- name: set_threshold
-- Over another connection than the collector's, which changes nothing. Name, good, warn or null, crit.
insert into tusk_stats.own_thresholds (name, good, warn, crit)
values ($1::text, $2::text::float8, nullif($3::text, '')::float8, $4::text::float8)
on conflict (name) do update
set good = excluded.good, warn = excluded.warn, crit = excluded.crit

-- name: collector_reports
-- Whether captures are kept here and can be read; then whether this session's role may take one.
select
  coalesce(has_schema_privilege(to_regnamespace('tusk_stats'), 'usage')
    and to_regclass('tusk_stats.picture') is not null
    and to_regproc('tusk_stats.report_lines') is not null
    and has_table_privilege(to_regclass('tusk_stats.picture'), 'select')
    and has_table_privilege(to_regclass('tusk_stats.captures'), 'select')
    and has_table_privilege(to_regclass('tusk_stats.reports'), 'select'), false),
  coalesce(has_table_privilege(to_regclass('tusk_stats.captures'), 'insert')
    and has_function_privilege(to_regprocedure('tusk_stats.capture()'), 'execute')
    and not pg_is_in_recovery(), false)

-- name: archived_weeks
-- All of them, at most five years.
select week
from tusk_stats.reports
order by week

-- name: weekly_files
-- One row: the report of a week, or of now for an empty one.
select /* tusk-stats */ document::text, plain, markdown
from tusk_stats.weekly_files(to_date(nullif($1::text, ''), 'IYYY-"W"IW'))

-- name: stats_trend
select /* tusk-stats */ tusk_stats.trend(now() - interval '90 days', now())::text

-- name: capture_is_due
select not exists (
  select from tusk_stats.captures
  where taken_at > now() - interval '23 hours'
)

-- name: writer_settings
-- Over another connection than the collector's, which changes nothing.
select
  set_config('application_name', 'tusk-stats-writer', false),
  set_config('statement_timeout', '30s', false),
  set_config('lock_timeout', '1s', false)

-- name: capture
select /* tusk-stats */ tusk_stats.capture()

-- name: stats_views_settings
-- Whoever makes the views: names in their texts are those of the schema, of the catalogs, and of
-- pg_stat_statements. Whether that answers; whether there are files to count, and a cache.
select
  exists (select 1 from pg_catalog.pg_extension where extname = 'pg_stat_statements')
    and current_setting('pg_stat_statements.max', true) is not null,
  set_config('search_path', 'tusk_stats, pg_catalog' || coalesce((
    select ', ' || quote_ident(n.nspname)
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n
      on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
      and n.nspname <> 'pg_catalog'), ''), false),
  to_regclass('tusk.files') is not null,
  to_regclass('tusk_cache.cache') is not null

-- name: drop_stats_views
do $$
declare
  each record;
begin
  for each in
    select c.relname from pg_catalog.pg_class c
    where c.relnamespace = 'tusk_stats'::regnamespace and c.relkind = 'v'
  loop
    execute format('drop view if exists tusk_stats.%I cascade', each.relname);
  end loop;
end
$$
