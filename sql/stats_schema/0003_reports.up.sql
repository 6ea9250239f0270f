-- What the statistics were, a day each, and the reports of the weeks that have passed. The functions read
-- tusk_stats.picture, report_document and report_lines, which tuskfs sidecar --install makes with the
-- views, of the texts in sql/reports: what the driver asks itself where none of this is there.

create table tusk_stats.captures (
  day date generated always as ((taken_at at time zone 'UTC')::date) stored primary key,
  taken_at timestamptz not null,
  picture jsonb not null
);
comment on table tusk_stats.captures is
  'The statistics as they were, the last capture of each day (UTC), for 13 months. See tusk_stats.capture().';
comment on column tusk_stats.captures.day is 'The day in UTC.';
comment on column tusk_stats.captures.taken_at is 'When it was taken.';
comment on column tusk_stats.captures.picture is
  'Of each statistic {"columns": [], "rows": [[]], "advice": []}; as many rows as its view shows.';

create table tusk_stats.reports (
  week text primary key,
  taken_at timestamptz not null,
  document json not null
);
comment on table tusk_stats.reports is 'The reports of past weeks, for five years. See tusk_stats.weekly_report().';
comment on column tusk_stats.reports.week is 'The ISO week in UTC, as 2026-W47.';
comment on column tusk_stats.reports.taken_at is 'When what it shows was captured.';
comment on column tusk_stats.reports.document is 'The report; texts and the page are made of it.';

create function tusk_stats.trend(since timestamptz, until timestamptz) returns json
language sql stable set search_path = pg_catalog as $$
  select coalesce(json_agg(json_build_object(
      'at', to_char(c.taken_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'score', c.picture #> '{health,rows,0,0}',
      -- Name and value are the first two columns of that statistic.
      'components', coalesce((
        select jsonb_object_agg(r ->> 0, r -> 1)
        from jsonb_array_elements(c.picture #> '{health_components,rows}') as r), '{}'))
    order by c.taken_at), '[]')
  from tusk_stats.captures c
  where c.taken_at >= since and c.taken_at <= until
$$;
comment on function tusk_stats.trend(timestamptz, timestamptz) is
  'Score and components of the captures between two moments, as the pages draw them.';

create function tusk_stats.alerts_between(since timestamptz, until timestamptz) returns json
language plpgsql stable set search_path = pg_catalog as $$
declare
  found json;
begin
  if to_regclass('tusk_stats.alert_events') is null then
    return null;
  end if;
  -- As JSON: what it has of these columns is told.
  execute $q$
    select coalesce(json_agg(json_build_object('severity', e -> 'severity', 'name', e -> 'name',
        'since', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'value', e -> 'value',
        'threshold', e -> 'threshold', 'message', e -> 'message',
        'state', e -> 'event') order by at), '[]')
    from (
      select to_jsonb(x) as e, x.at
      from tusk_stats.alert_events x
      where x.at >= $1 and x.at < $2
      order by x.at desc
      limit 100
    ) as newest
  $q$ into found using since, until;
  return found;
end
$$;
comment on function tusk_stats.alerts_between(timestamptz, timestamptz) is
  'What happened to alerts between two moments, the newest 100; null where no history of them is kept.';

create function tusk_stats.weekly_document(week_end date default null) returns json
language plpgsql stable set search_path = pg_catalog as $$
declare
  this_week constant timestamp := date_trunc('week', now() at time zone 'UTC');
  begins constant timestamp := coalesce(date_trunc('week', week_end::timestamp), this_week);
  of_week constant text := to_char(begins, 'IYYY-"W"IW');
  shown tusk_stats.captures;
  before tusk_stats.captures;
  made json;
begin
  if to_regclass('tusk_stats.picture') is null then
    raise exception 'the views of tusk_stats are missing'
      using errcode = 'object_not_in_prerequisite_state', hint = 'make them: tuskfs sidecar --install';
  end if;
  if begins < this_week then
    select r.document into made from tusk_stats.reports r where r.week = of_week;
    if found then
      return made;
    end if;
    select c.* into shown
    from tusk_stats.captures c
    where c.taken_at >= begins at time zone 'UTC' and c.taken_at < (begins + interval '7 days') at time zone 'UTC'
    order by c.taken_at desc
    limit 1;
    if not found then
      return null;
    end if;
  elsif begins > this_week then
    return null;
  else
    shown.taken_at := clock_timestamp();
    select p.picture into shown.picture from tusk_stats.picture p;
  end if;
  -- A week before, give or take as captures are a day apart; an older one would be no week's change.
  select c.* into before
  from tusk_stats.captures c
  where c.taken_at <= shown.taken_at - interval '6 days 12 hours' and c.taken_at > shown.taken_at - interval '14 days'
  order by c.taken_at desc
  limit 1;
  return tusk_stats.report_document(of_week, begins at time zone 'UTC', (begins + interval '7 days') at time zone 'UTC',
    shown.taken_at, shown.picture, before.taken_at, before.picture,
    tusk_stats.alerts_between(begins at time zone 'UTC', (begins + interval '7 days') at time zone 'UTC'),
    tusk_stats.trend(shown.taken_at - interval '90 days', shown.taken_at),
    case when before.taken_at is null then 'nothing is compared: no capture is a week older yet' end,
    current_database()::text, 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1));
end
$$;
comment on function tusk_stats.weekly_document(date) is
  'The report of the week in which a date lies, this week as it is now without one; null if nothing is known of it.';

create function tusk_stats.weekly_files(week_end date default null, out document json, out plain text, out markdown text)
language plpgsql stable set search_path = pg_catalog as $$
begin
  document := tusk_stats.weekly_document(week_end);
  plain := tusk_stats.report_lines(document, 'text');
  markdown := tusk_stats.report_lines(document, 'md');
end
$$;
comment on function tusk_stats.weekly_files(date) is 'The same report as document, as text and as Markdown.';

create function tusk_stats.weekly_report(format text default 'text', week_end date default null) returns text
language plpgsql stable set search_path = pg_catalog as $$
begin
  if format in ('text', 'md') then
    return tusk_stats.report_lines(tusk_stats.weekly_document(week_end), format);
  elsif format = 'json' then
    return tusk_stats.weekly_document(week_end)::text;
  end if;
  raise exception 'there is no format %', format
    using errcode = 'invalid_parameter_value', hint = 'text, md or json; the page is stats/weekly_report.html of a mount';
end
$$;
comment on function tusk_stats.weekly_report(text, date) is
  'The report of the week in which week_end lies, else of this week, as text, md or json.';

create function tusk_stats.capture() returns bigint
language plpgsql set search_path = pg_catalog as $$
begin
  if to_regclass('tusk_stats.picture') is null then
    raise exception 'the views of tusk_stats are missing'
      using errcode = 'object_not_in_prerequisite_state', hint = 'make them: tuskfs sidecar --install';
  end if;
  insert into tusk_stats.captures (taken_at, picture)
  select clock_timestamp(), p.picture from tusk_stats.picture p
  on conflict (day) do update set taken_at = excluded.taken_at, picture = excluded.picture;
  delete from tusk_stats.captures where taken_at < now() - interval '13 months';
  insert into tusk_stats.reports (week, taken_at, document)
  select d.document ->> 'week', (d.document ->> 'measured_at')::timestamptz, d.document
  from (select distinct date_trunc('week', day::timestamp)::date as monday from tusk_stats.captures) as w
  cross join lateral tusk_stats.weekly_document(w.monday) as d (document)
  where w.monday < date_trunc('week', now() at time zone 'UTC')
    and not exists (select from tusk_stats.reports r where r.week = to_char(w.monday, 'IYYY-"W"IW'))
  on conflict (week) do nothing;
  delete from tusk_stats.reports where taken_at < now() - interval '5 years';
  return (select count(*) from tusk_stats.captures);
end
$$;
comment on function tusk_stats.capture() is
  'Keeps the statistics of now as those of today, and the reports of weeks that have passed; how many days are kept.';
revoke execute on function tusk_stats.capture() from public;

do $$
begin
  if exists (select 1 from pg_catalog.pg_roles where rolname = 'tusk_monitor') then
    grant usage on schema tusk_stats to tusk_monitor;
    grant select on tusk_stats.captures, tusk_stats.reports to tusk_monitor;
  end if;
end
$$;
