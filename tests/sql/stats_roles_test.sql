-- Who may do what with tusk_stats, for pg_prove: a database where tuskfs sidecar --install ran.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
create extension if not exists pgtap;
set local client_min_messages = warning;
select * from no_plan();

create function pg_temp.as_role(who text, call text) returns text language plpgsql as $$
declare
  answer text := 'may';
begin
  begin
    execute format('set local role %I', who);
    execute call;
    reset role;
    raise exception using errcode = 'TAP00';  -- Nothing of it stays.
  exception
    when sqlstate 'TAP00' then null;
    when others then
      answer := case sqlstate when '42501' then 'may not' else sqlstate end;
  end;
  reset role;
  return answer;
end
$$;
select is(pg_temp.as_role('tusk_' || who, call), expected, who || ' ' || expected || ': ' || call)
from (values
  ($$select * from tusk_stats.health, tusk_stats.health_components$$, 'may not', 'may not', 'may', 'may'),
  ($$select count(*) from tusk_stats.alerts_open, tusk_stats.thresholds$$, 'may not', 'may not', 'may', 'may'),
  ($$select tusk_stats.weekly_report()$$, 'may not', 'may not', 'may', 'may'),
  ($$select tusk_stats.alerts_check()$$, 'may not', 'may not', 'may not', 'may'),
  ($$select tusk_stats.capture()$$, 'may not', 'may not', 'may not', 'may'),
  ($$select tusk_stats.set_threshold('dead_tuples', 30, 60)$$, 'may not', 'may not', 'may not', 'may'),
  ($$delete from tusk_stats.captures$$, 'may not', 'may not', 'may not', 'may'),
  ($$insert into tusk_stats.own_thresholds values ('blocked', 1, 1, 1)$$, 'may not', 'may not', 'may not', 'may'),
  ($$create table tusk_stats.mine ()$$, 'may not', 'may not', 'may not', 'may not'),
  ($$drop view tusk_stats.alerts_open$$, 'may not', 'may not', 'may not', 'may not')
) as v (call, reader, writer, monitor, admin),
  lateral (values ('reader', reader), ('writer', writer), ('monitor', monitor), ('admin', admin)) as r (who, expected);

-- Every view there is, whatever will be added.
select is(has_table_privilege('tusk_' || who, c.oid, 'select'), expected, who || ' and ' || c.relname)
from pg_class c, (values ('reader', false), ('writer', false), ('monitor', true), ('admin', true)) as r (who, expected)
where c.relnamespace = 'tusk_stats'::regnamespace and c.relkind in ('v', 'm');
select is(array_agg(c.relname || ' ' || p), null, 'what tusk_monitor may write')
from pg_class c, unnest(array['insert', 'update', 'delete', 'truncate']) p
where c.relnamespace = 'tusk_stats'::regnamespace and c.relkind = 'r' and has_table_privilege('tusk_monitor', c.oid, p);

-- Thresholds

select tusk_stats.set_threshold('dead_tuples', 30, 60);
select is((select t::text from tusk_stats.thresholds t where name = 'dead_tuples'), '(dead_tuples,5,30,60)', 'a threshold is set');
select tusk_stats.set_threshold('dead_tuples', null, 50);
select is((select t::text from tusk_stats.thresholds t where name = 'dead_tuples'), '(dead_tuples,5,,50)', 'without a point between');
select tusk_stats.set_threshold('cache_hit', 96, 91);
select throws_ok(format('select tusk_stats.set_threshold(%s)', call), '22023', null, call)
from (values ($$'none', 1, 2$$), ($$null, 1, 2$$), ($$'blocked', 3, 2$$), ($$'cache_hit', 90, 95$$), ($$'blocked', 1, null$$),
  ($$'blocked', 'NaN', 2$$), ($$'blocked', 1, 'NaN'$$)) as v (call);
select throws_ok('select tusk_stats.reset_queries()', '55000', null, 'nothing counts statements here');

select * from finish();
rollback;
