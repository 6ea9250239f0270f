-- Takes a sample; answers with what has happened, a line each. For cron, where no mount does it.
-- It is made of the same text as the driver's, which stands in for the mark.
create or replace function tusk_stats.alerts_check() returns setof text
language plpgsql set search_path = tusk_stats, pg_catalog
as $check$
declare
  next record;
begin
  perform tusk_stats.alerts_lock();
  perform set_config('tusk.alerts', tusk_stats.alerts_state()::text, true);
  select * into next from (
/*NEXT*/
  ) as step;
  perform tusk_stats.alerts_store(next.state, next.events);
  return query select concat_ws(' ', e ->> 'event', e ->> 'severity', e ->> 'name', e ->> 'message')
    from jsonb_array_elements(next.events) e;
end
$check$;
comment on function tusk_stats.alerts_check() is
  'Takes a sample of what alerts are about; answers with what has happened.';
