-- What an administrator does with the statistics without owning them: thresholds, samples of alerts,
-- captures, and counting statements from the start. The role tusk_admin may; tusk_monitor looks on.

create function tusk_stats.set_threshold(name text, warn double precision, crit double precision)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  present record;
begin
  if to_regclass('tusk_stats.thresholds') is null then
    raise exception 'the views of tusk_stats are missing'
      using errcode = 'object_not_in_prerequisite_state',
        hint = 'make them: tuskfs sidecar --install';
  end if;
  select t.good, t.warn, t.crit into present
  from tusk_stats.thresholds t
  where t.name = set_threshold.name;
  if not found then
    raise exception 'there is no component %', set_threshold.name using errcode = '22023';
  end if;
  -- Of most components more is worse; of cache_hit less is.
  if set_threshold.crit is null
    or 'NaN' in (set_threshold.warn, set_threshold.crit)
    or (set_threshold.name = 'cache_hit' and set_threshold.warn < set_threshold.crit)
    or (set_threshold.name <> 'cache_hit' and set_threshold.warn > set_threshold.crit) then
    raise exception 'warn lies beyond crit, or crit is missing' using errcode = '22023';
  end if;
  insert into tusk_stats.own_thresholds as o (name, good, warn, crit)
  values (set_threshold.name, present.good, set_threshold.warn, set_threshold.crit)
  on conflict on constraint own_thresholds_pkey do update
  set good = excluded.good, warn = excluded.warn, crit = excluded.crit;
end
$$;
comment on function tusk_stats.set_threshold(text, double precision, double precision) is
  'Where a component of the health score wants attention (null: there is no such point) and where '
  'it is critical, for everybody; as stats/thresholds/NAME of a mount.';

create function tusk_stats.reset_queries()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  place name;
begin
  select n.nspname into place
  from pg_catalog.pg_extension e
  join pg_catalog.pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'pg_stat_statements';
  if not found then
    raise exception 'pg_stat_statements is not there'
      using errcode = 'object_not_in_prerequisite_state',
        hint = 'stats/slow_queries says how to turn it on';
  end if;
  execute format('select %I.pg_stat_statements_reset()', place);
end
$$;
comment on function tusk_stats.reset_queries() is
  'Counts statements from the start (pg_stat_statements_reset, which a superuser must have granted).';

revoke execute on function
  tusk_stats.set_threshold(text, double precision, double precision),
  tusk_stats.reset_queries()
from public;

do $$
begin
  if not exists (select from pg_catalog.pg_roles r where r.rolname = 'tusk_admin') then
    create role tusk_admin nologin;
  end if;
exception
  when insufficient_privilege then
    raise notice 'the role tusk_admin is not made: that takes CREATEROLE';
  when duplicate_object or unique_violation then
    null;  -- Another database of this server made it just now.
end
$$;
do $$
begin
  if exists (select from pg_catalog.pg_roles r where r.rolname = 'tusk_admin') then
    grant usage on schema tusk_stats to tusk_admin;
    grant select on all tables in schema tusk_stats to tusk_admin;
    alter default privileges in schema tusk_stats grant select on tables to tusk_admin;
    grant insert, update, delete on tusk_stats.own_thresholds, tusk_stats.alerts,
      tusk_stats.alert_events, tusk_stats.alerts_sampled, tusk_stats.captures, tusk_stats.reports
    to tusk_admin;
    grant execute on function
      tusk_stats.alerts_lock(), tusk_stats.alerts_store(jsonb, jsonb), tusk_stats.capture(),
      tusk_stats.set_threshold(text, double precision, double precision),
      tusk_stats.reset_queries()
    to tusk_admin;
  end if;
end
$$;
