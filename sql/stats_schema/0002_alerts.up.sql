-- Alerts: how each stands, and what has happened. What takes a sample (the driver, or
-- tusk_stats.alerts_check, which tuskfs sidecar --install makes) reads and writes them through the functions.

create table tusk_stats.alerts (
  name text primary key,
  severity text,
  since timestamptz,
  value float8,
  unit text,
  threshold float8,
  message text,
  acknowledged boolean,
  silenced_until timestamptz,
  bad int,
  critical int,
  milder int,
  calm int,
  told boolean,
  told_at timestamptz,
  told_severity text
);
comment on table tusk_stats.alerts is 'What is open, was so within an hour, or may be soon.';
comment on column tusk_stats.alerts.since is 'Since when it is open; null: it is not.';
comment on column tusk_stats.alerts.bad is 'How many samples in a row were at warn or past it.';
comment on column tusk_stats.alerts.critical is 'How many samples in a row were critical.';
comment on column tusk_stats.alerts.milder is 'How many samples in a row were not.';
comment on column tusk_stats.alerts.calm is 'How many samples in a row were below 90 % of warn.';
comment on column tusk_stats.alerts.told is 'Whether alert_events says that it is open.';
comment on column tusk_stats.alerts.told_at is 'When that was said last; not again within the hour.';

create table tusk_stats.alert_events (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  event text not null,
  name text not null,
  severity text,
  value float8,
  threshold float8,
  message text
);
comment on table tusk_stats.alert_events is 'Alerts raised, cleared, acknowledged, silenced; the last 1,000.';

create table tusk_stats.alerts_sampled (
  only_row boolean primary key default true check (only_row),
  at timestamptz not null
);
comment on table tusk_stats.alerts_sampled is 'When the last sample was taken, so that two mounts are not twice as nervous.';

create function tusk_stats.alerts_lock() returns void language plpgsql as $$
begin
  lock table tusk_stats.alerts in share row exclusive mode;
end
$$;
comment on function tusk_stats.alerts_lock() is 'Until the transaction ends nobody else changes alerts.';

create function tusk_stats.alerts_state() returns jsonb language sql stable as $$
  select coalesce(jsonb_object_agg(a.name, jsonb_strip_nulls(to_jsonb(a) - 'name')), '{}')
  from tusk_stats.alerts a
$$;
comment on function tusk_stats.alerts_state() is 'All alerts, as an object by name.';

create function tusk_stats.alerts_store(state jsonb, events jsonb) returns void language sql as $$
  delete from tusk_stats.alerts;
  insert into tusk_stats.alerts
  select (jsonb_populate_record(null::tusk_stats.alerts,
    each.value || jsonb_build_object('name', each.key))).*
  from jsonb_each(state) each;
  insert into tusk_stats.alert_events (at, event, name, severity, value, threshold, message)
  select e.at, e.event, e.name, e.severity, e.value, e.threshold, e.message
  from jsonb_populate_recordset(null::tusk_stats.alert_events, events) e;
  delete from tusk_stats.alert_events
  where id <= (select max(id) - 1000 from tusk_stats.alert_events);
  insert into tusk_stats.alerts_sampled (at) values (statement_timestamp())
  on conflict (only_row) do update set at = excluded.at;
$$;
comment on function tusk_stats.alerts_store(jsonb, jsonb) is 'Takes the place of all alerts, and adds events.';
revoke execute on function tusk_stats.alerts_lock(), tusk_stats.alerts_store(jsonb, jsonb) from public;
