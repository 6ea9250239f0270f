-- The thresholds are the defaults again, and the views are gone. The role belongs to the whole server.
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
  if exists (select 1 from pg_catalog.pg_roles where rolname = 'tusk_monitor') then
    alter default privileges in schema tusk_stats revoke select on tables from tusk_monitor;
    revoke usage on schema tusk_stats from tusk_monitor;
  end if;
end
$$;
drop table tusk_stats.own_thresholds;
