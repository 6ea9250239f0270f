-- One step of all alerts: out of the state so far (the setting tusk.alerts, an object by name) and
-- alert_samples, the next state and what has happened. An alert is raised after 2 samples, cleared
-- after 3 calm ones, and told once an hour, unless it has become critical.
with was as (
  select key as name, value as old
  from jsonb_each(coalesce(nullif(current_setting('tusk.alerts', true), ''), '{}')::jsonb)
), counted as (
  select name, w.old, n.value, n.unit, n.threshold, n.message, statement_timestamp() as now,
    case when n.severity is not null then coalesce((w.old ->> 'bad')::int, 0) + 1 else 0 end as bad,
    case when n.severity = 'critical' then coalesce((w.old ->> 'critical')::int, 0) + 1 else 0 end
      as critical,
    case when n.severity = 'critical' then 0 else coalesce((w.old ->> 'milder')::int, 0) + 1 end
      as milder,
    -- What is not measured any more is no trouble any more.
    case when coalesce(n.calm, true) then coalesce((w.old ->> 'calm')::int, 0) + 1 else 0 end as calm,
    (w.old ->> 'since')::timestamptz as was_since,
    w.old ->> 'severity' as was_severity,
    (w.old ->> 'told_at')::timestamptz as told_at,
    w.old ->> 'told_severity' as told_severity,
    coalesce((w.old ->> 'told')::boolean, false) as told,
    (w.old ->> 'silenced_until')::timestamptz as silenced_until
  from was w
  full join alert_samples n using (name)
  where w.name is not null or n.severity is not null
), judged as (
  select *,
    case when was_since is null and bad >= 2 then now when calm < 3 then was_since end as since,
    case when critical >= 2 then 'critical' when milder >= 3 or was_since is null then 'warning'
      else was_severity end as severity
  from counted
), spoken as (
  select *,
    since is not null and (was_since is null or not told
        or severity = 'critical' and was_severity = 'warning')
      and (told_at is null or told_at <= now - interval '1 hour'
        or severity = 'critical' and told_severity = 'warning') as raises,
    since is null and was_since is not null and told as clears,
    coalesce(silenced_until <= now, false) as speaks_again
  from judged
), kept as (
  select name, jsonb_strip_nulls(jsonb_build_object(
    'severity', severity, 'since', since,
    'value', coalesce(to_jsonb(value), old -> 'value'),
    'unit', coalesce(to_jsonb(unit), old -> 'unit'),
    'threshold', coalesce(to_jsonb(threshold), old -> 'threshold'),
    'message', coalesce(to_jsonb(message), old -> 'message'),
    'acknowledged', case when since is not null then old -> 'acknowledged' end,
    'silenced_until', case when not speaks_again then silenced_until end,
    'bad', bad, 'critical', critical, 'milder', milder, 'calm', calm,
    'told', since is not null and (raises or told),
    'told_at', case when raises then now else told_at end,
    'told_severity', case when raises then severity else told_severity end)) as entry
  from spoken
  where since is not null or bad > 0 or silenced_until > now or told_at > now - interval '1 hour'
), happened as (
  select 'raise' as event, s.* from spoken s where raises
  union all
  select 'clear', s.* from spoken s where clears
  union all
  select 'unsilence', s.* from spoken s where speaks_again
)
select
  coalesce((select jsonb_object_agg(name, entry) from kept), '{}') as state,
  coalesce((select jsonb_agg(jsonb_build_object('at', now, 'event', event, 'name', name,
      'severity', coalesce(case when event = 'clear' then was_severity end, severity),
      'value', coalesce(to_jsonb(value), old -> 'value'),
      'threshold', coalesce(to_jsonb(threshold), old -> 'threshold'),
      'message', coalesce(to_jsonb(message), old -> 'message')) order by name)
    from happened), '[]') as events
