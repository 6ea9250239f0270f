-- The report as people read it: of report (document, style), style 'text' or 'md'.
with titles (place, name, title) as (values
  (10, 'tables', 'Biggest tables'), (11, 'indexes', 'Indexes'), (12, 'cache_hit', 'Found in memory'),
  (13, 'connections', 'Connections'), (14, 'slow_queries', 'Slow queries, by mean'),
  (15, 'slow_queries_total', 'Slow queries, by total'), (16, 'missing_indexes', 'Tables read from end to end'),
  (30, 'new_queries', 'Slowest new queries'), (40, 'backups', 'Backups and restore tests')
), headed as (
  select t.place, t.title, r.document -> t.name as section
  from titles t, report r
), raw (place, line, position, is_number, said) as (
  -- The names of the columns are line 0; what has changed since the week before stands beside a number.
  select h.place, 0, c.position, false, c.name
  from headed h
  cross join lateral json_array_elements_text(h.section -> 'columns') with ordinality as c (name, position)
  where json_array_length(h.section -> 'rows') > 0
  union all
  select h.place, l.line, c.position, json_typeof(c.value) = 'number',
    case when json_typeof(c.value) = 'number' then (c.value #>> '{}')::numeric::text
        || coalesce((select ' (' || case when d > 0 then '+' else '' end || d || ')'
          from (select (h.section -> 'deltas' -> (l.line - 1)::int ->> (c.position - 1)::int)::numeric as d) as x
          where d <> 0), '')
      when json_typeof(c.value) = 'null' then 'n/a'
      else c.value #>> '{}' end
  from headed h
  cross join lateral json_array_elements(h.section -> 'rows') with ordinality as l (cells, line)
  cross join lateral json_array_elements(l.cells) with ordinality as c (value, position)
  where l.line <= 10
  union all
  select 20, 0, c.position, false, c.name
  from report r, (values (1, 'name'), (2, 'kind'), (3, 'size'), (4, 'change')) as c (position, name)
  where json_array_length(r.document -> 'growth') > 0
  union all
  select 20, g.line, c.position, c.position > 2, c.said
  from report r
  cross join lateral json_array_elements(r.document -> 'growth') with ordinality as g (one, line)
  cross join lateral (values (1, g.one ->> 'name'), (2, g.one ->> 'kind'),
    (3, pg_size_pretty((g.one ->> 'bytes')::numeric)),
    (4, coalesce(case when (g.one ->> 'delta_bytes')::numeric > 0 then '+' else '' end
      || pg_size_pretty((g.one ->> 'delta_bytes')::numeric), 'n/a'))) as c (position, said)
), grid as (
  -- A name must not break the lines, nor command a terminal, nor mark anything up.
  select w.place, w.line, w.position, w.is_number,
    case when r.style = 'md' then regexp_replace(k.plain, '([\\`*\[\]<>|&])', '\\\1', 'g') else k.plain end as said
  from raw w
  cross join report r
  cross join lateral (select regexp_replace(w.said, '[\u0001-\u001f\u007f-\u009f]', ' ', 'g') as plain) as k
  where not exists (
    select from headed h
    where h.place = w.place
      and h.section -> 'columns' ->> (w.position - 1)::int in ('undo', 'total_bytes', 'bytes', 'stats_days', 'max_usable', 'last_scan'))
), measured as (
  select g.place, g.line, g.position, g.said,
    max(length(g.said)) over (partition by g.place, g.position) as width,
    bool_or(g.is_number) over (partition by g.place, g.position) as on_the_right
  from grid g
), table_lines as (
  select m.place, m.line, string_agg(
      case when m.on_the_right then lpad(m.said, m.width) else rpad(m.said, m.width) end,
      case r.style when 'md' then ' | ' else '  ' end order by m.position) as said,
    string_agg(case when m.on_the_right then repeat('-', greatest(m.width, 3) - 1) || ':' else repeat('-', greatest(m.width, 3)) end,
      ' | ' order by m.position) as rule
  from measured m, report r
  group by m.place, m.line, r.style
), tables as (
  select t.place, string_agg(
    case when r.style = 'md' then '| ' || t.said || ' |'
        || case when t.line = 0 then E'\n| ' || t.rule || ' |' else '' end
      else rtrim(t.said) end, E'\n' order by t.line) as said
  from table_lines t, report r
  group by t.place
), blocks (place, title, first, made, last) as (
  -- made: cells that are written already; the other two may hold anything.
  select 1, 'Weekly report', concat_ws(E'\n',
    format('Database %s, %s, week %s (%s to %s), measured %s', d ->> 'database', coalesce(d ->> 'server', 'n/a'),
      d ->> 'week', left(d ->> 'from', 10), left(d ->> 'to', 10), d ->> 'measured_at'),
    format('score %s %s, the week before %s', coalesce(d -> 'health' ->> 'score', 'n/a'), d -> 'health' ->> 'status',
      coalesce(d -> 'previous' ->> 'score', 'n/a')),
    d -> 'health' ->> 'reason', d ->> 'notice'), null, null
  from (select document as d from report) as x
  union all
  select 2, 'Alerts of the week', coalesce((
    select string_agg(translate(concat_ws(' ', a ->> 'since', a ->> 'severity', a ->> 'name', a ->> 'state', a ->> 'message'),
      E'\n', ' '), E'\n' order by n)
    from json_array_elements(case json_typeof(r.document -> 'alerts_of_week') when 'array' then r.document -> 'alerts_of_week'
      else '[]' end) with ordinality as l (a, n)),
    case json_typeof(r.document -> 'alerts_of_week') when 'array' then 'none' else 'not known: no history of them is kept here' end),
    null, null
  from report r
  union all
  select h.place, h.title, coalesce(h.section ->> 'error', case when t.said is null then 'none' end), t.said,
    (select string_agg('advice: ' || translate(a, E'\n', ' '), E'\n' order by n)
      from json_array_elements_text(h.section -> 'advice') with ordinality as l (a, n))
  from headed h
  left join tables t on t.place = h.place
  union all
  select 20, 'Growth', case when not exists (select from tables where place = 20) then 'none' end,
    (select said from tables where place = 20), null
  union all
  select 50, 'What to do', case when json_array_length(r.document -> 'actions') = 0 then 'nothing is suggested' end, null, null
  from report r
  union all
  -- SQL stands as it is, indented: nothing in it can end the block.
  select 50 + n::int, format('%s. %s', n, a ->> 'title'), a ->> 'why',
    concat_ws(E'\n', s.sql, E'\nto undo it:\n\n' || s.undo), null
  from report r
  cross join lateral json_array_elements(r.document -> 'actions') with ordinality as l (a, n)
  cross join lateral (
    select max(c.shown) filter (where c.name = 'sql') as sql, max(c.shown) filter (where c.name = 'undo') as undo
    from (select t.name, '    ' || case when t.code ~ '[\u0001-\u001f\u007f-\u009f]'
          then '-- there are control characters in the name: take this from the JSON' else t.code end as shown
      from (values ('sql', a ->> 'sql'), ('undo', a ->> 'undo')) as t (name, code)) as c) as s
), plain as (
  select b.place, b.made, x.title, x.first, x.last
  from blocks b
  cross join lateral (
    select max(y.said) filter (where f.name = 'title') as title, max(y.said) filter (where f.name = 'first') as first,
      max(y.said) filter (where f.name = 'last') as last
    from (values ('title', translate(b.title, E'\n', ' ')), ('first', b.first), ('last', b.last)) as f (name, said)
    cross join report r
    cross join lateral (select regexp_replace(f.said, '[\u0001-\u0009\u000b-\u001f\u007f-\u009f]', ' ', 'g') as clean) as k
    cross join lateral (select case when r.style = 'md'
      then replace(regexp_replace(k.clean, '([\\`*\[\]<>|&])', '\\\1', 'g'), E'\n', E'  \n') else k.clean end as said) as y) as x
)
select string_agg(
    case r.style when 'md' then case p.place when 1 then '# ' else '## ' end else '' end || p.title || E'\n'
    || case r.style when 'md' then E'\n' else '' end
    || concat_ws(case when r.style = 'md' or p.place > 50 then E'\n\n' else E'\n' end, p.first, p.made, p.last)
    || case when coalesce(p.first, p.made) is null then '' else E'\n' end,
  E'\n' order by p.place) as lines
from plain p, report r
