-- Alerts, as the collector keeps them: in tusk_stats where that may be written, else in memory.

-- name: alerts_places
-- Whether alerts are kept in tables that this session may write; whether the cache can be read, and the
-- trees; the folder of the server's data, where that is on this machine (a Unix socket leads to it) and told.
select
  not pg_is_in_recovery()
    and coalesce(has_schema_privilege(to_regnamespace('tusk_stats'), 'usage')
      and has_table_privilege(to_regclass('tusk_stats.alerts'), 'delete')
      and has_table_privilege(to_regclass('tusk_stats.alerts'), 'insert')
      and has_table_privilege(to_regclass('tusk_stats.alert_events'), 'insert')
      and has_table_privilege(to_regclass('tusk_stats.alerts_sampled'), 'insert'), false),
  coalesce(has_schema_privilege(to_regnamespace('tusk_cache'), 'usage')
    and to_regclass('tusk_cache.cache') is not null
    and has_table_privilege(to_regclass('tusk_cache.settings'), 'select'), false),
  coalesce(has_schema_privilege(to_regnamespace('tusk'), 'usage')
    and has_table_privilege(to_regclass('tusk.files'), 'select')
    and has_table_privilege(to_regclass('tusk.tenants'), 'select')
    and has_table_privilege(to_regclass('tusk.backups'), 'select')
    and has_table_privilege(to_regclass('tusk.checkups'), 'select')
    and has_function_privilege(to_regprocedure('tusk.path(uuid)'), 'execute'), false),
  (select s.setting from pg_catalog.pg_settings s
    where s.name = 'data_directory' and inet_server_addr() is null)

-- name: alerts_begin
-- The collector's sessions are read-only; here a writer is met now and then.
begin read write

-- name: alerts_commit
commit

-- name: alerts_rollback
rollback

-- name: alerts_lock
-- Waits for who holds it longer than for other locks: it is short.
select set_config('lock_timeout', '2s', true), tusk_stats.alerts_lock()

-- name: alerts_load
-- State, and whether the last sample is older than $1 milliseconds.
select tusk_stats.alerts_state()::text,
  not exists (select 1 from tusk_stats.alerts_sampled
    where at > clock_timestamp() - make_interval(secs => $1::int8 / 1000.0))

-- name: alerts_given
-- The state so far, and how full the disk is or nothing, for the text that makes the next one.
select set_config('tusk.alerts', $1::text, false), set_config('tusk.disk', $2::text, false)

-- name: alerts_store
select tusk_stats.alerts_store($1::text::jsonb, $2::text::jsonb)

-- name: alerts_read
-- State, and the last 1,000 events, oldest first.
select tusk_stats.alerts_state()::text, coalesce(jsonb_agg(to_jsonb(e) - 'id' order by e.id), '[]')::text
from (select * from tusk_stats.alert_events order by id desc limit 1000) e

-- name: alerts_append
-- Events so far and new ones: the last 1,000.
select coalesce(jsonb_agg(value order by place), '[]')::text
from (
  select value, ordinality as place
  from jsonb_array_elements($1::text::jsonb || $2::text::jsonb) with ordinality
  order by ordinality desc
  limit 1000) e

-- name: alerts_command
-- State, verb, name, seconds: the next state and the event. No row: there is no such alert.
select jsonb_set(state, array[name], jsonb_strip_nulls(entry || case verb
      when 'ack' then '{"acknowledged": true}'
      when 'silence' then jsonb_build_object('silenced_until',
        statement_timestamp() + make_interval(secs => seconds))
      else '{"silenced_until": null}' end))::text,
  jsonb_build_array(jsonb_build_object('at', statement_timestamp(), 'event', verb, 'name', name,
    'severity', entry -> 'severity', 'value', entry -> 'value', 'threshold', entry -> 'threshold',
    'message', entry -> 'message'))::text
from (
  select g.*, state -> name as entry
  from (select $1::text::jsonb as state, $2::text as verb, $3::text as name, $4::int8::float8 as seconds) g) g
where entry is not null
  and (entry ? 'since' or verb <> 'ack' and entry ? 'silenced_until')
