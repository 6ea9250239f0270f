-- Thresholds that were set stay. The role belongs to the whole server.
do $$
begin
  if exists (select from pg_catalog.pg_roles r where r.rolname = 'tusk_admin') then
    alter default privileges in schema tusk_stats revoke select on tables from tusk_admin;
    revoke execute on all functions in schema tusk_stats from tusk_admin;
    revoke all on all tables in schema tusk_stats from tusk_admin;
    revoke usage on schema tusk_stats from tusk_admin;
  end if;
end
$$;
drop function tusk_stats.reset_queries;
drop function tusk_stats.set_threshold;
