-- What people may set of the statistics. The views beside it hold nothing: tuskfs sidecar --install makes
-- them, of the texts that the driver itself asks.

create table tusk_stats.own_thresholds (
  name text primary key,
  good float8 not null,
  warn float8,
  crit float8 not null
);
comment on table tusk_stats.own_thresholds is
  'Where a component of the health score is good, wants attention, is critical; a row overrides the default.';
comment on column tusk_stats.own_thresholds.name is 'The component.';
comment on column tusk_stats.own_thresholds.good is 'Up to here the component counts in full.';
comment on column tusk_stats.own_thresholds.warn is 'Here it counts half; null: there is no such point.';
comment on column tusk_stats.own_thresholds.crit is 'From here on it counts nothing.';

do $$
begin
  if not exists (select 1 from pg_catalog.pg_roles where rolname = 'tusk_monitor') then
    create role tusk_monitor nologin;
  end if;
exception when insufficient_privilege then
  raise notice 'the role tusk_monitor is not made: that takes CREATEROLE';
end
$$;
do $$
begin
  if exists (select 1 from pg_catalog.pg_roles where rolname = 'tusk_monitor') then
    grant usage on schema tusk_stats to tusk_monitor;
    grant select on tusk_stats.own_thresholds to tusk_monitor;
    alter default privileges in schema tusk_stats grant select on tables to tusk_monitor;
  end if;
end
$$;
