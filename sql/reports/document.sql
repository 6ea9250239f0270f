-- The report of a week, of two pictures a week apart: what is asked for is one row of
-- asked (week, begins, ends, taken_at, picture, before_at, before, alerts, trend, notice, database, server).
with sections (place, name, key) as (values
  (1, 'tables', '{schema_name,table_name}'::text[]), (2, 'indexes', '{schema_name,index_name}'),
  (3, 'cache_hit', '{kind}'), (4, 'connections', '{state}'), (5, 'slow_queries', '{query}'),
  (6, 'slow_queries_total', '{query}'), (7, 'missing_indexes', '{schema_name,table_name}'),
  (8, 'sizes', '{kind,name}'), (9, 'health', '{}'), (10, 'health_components', '{component}'),
  (11, 'unindexed_keys', '{schema_name,table_name,key_name}')
), cells as (
  select p.moment, s.name, r.place, r.cells as list,
    (select jsonb_object_agg(c.name, r.cells -> (c.place - 1)::int)
      from jsonb_array_elements_text(p.picture -> s.name -> 'columns') with ordinality as c (name, place)) as cells
  from (select 'now' as moment, picture from asked union all select 'before', before from asked) as p
  cross join sections s
  cross join lateral jsonb_array_elements(p.picture -> s.name -> 'rows') with ordinality as r (cells, place)
), keyed as (
  select c.moment, c.name, c.place, c.list, c.cells,
    (select jsonb_agg(c.cells -> k) from unnest(s.key) as k) as key
  from cells c
  join sections s on s.name = c.name
), compared as (
  select n.name, n.place, n.cells, b.cells as before, b.cells is not null as was_there
  from keyed n
  left join lateral (
    select k.cells from keyed k
    where k.moment = 'before' and k.name = n.name and k.key = n.key
    order by k.place
    limit 1) as b on true
  where n.moment = 'now'
), deltas as (
  select c.name, jsonb_agg((
      select jsonb_agg(case when jsonb_typeof(c.cells -> h.name) = 'number' and jsonb_typeof(c.before -> h.name) = 'number'
        then to_jsonb((c.cells -> h.name)::numeric - (c.before -> h.name)::numeric) end order by h.place)
      from jsonb_array_elements_text(a.picture -> c.name -> 'columns') with ordinality as h (name, place))
    order by c.place) as rows
  from compared c, asked a
  group by c.name
), health as (
  select c.cells from compared c where c.name = 'health'
), growth as (
  select format('%I.%I', c.cells ->> 'schema_name', c.cells ->> 'table_name') as name, 'table' as kind,
    (c.cells -> 'total_bytes')::numeric as bytes,
    (c.cells -> 'total_bytes')::numeric - (nullif(c.before -> 'total_bytes', 'null'))::numeric as delta
  from compared c
  where c.name = 'tables' and jsonb_typeof(c.cells -> 'total_bytes') = 'number'
  union all
  select c.cells ->> 'name', 'database', (c.cells -> 'bytes')::numeric,
    (c.cells -> 'bytes')::numeric - (nullif(c.before -> 'bytes', 'null'))::numeric
  from compared c, asked a
  where c.name = 'sizes' and c.cells ->> 'kind' = 'database' and c.cells ->> 'name' = a.database
), new_queries as (
  select c.place, c.cells
  from compared c, asked a
  where c.name = 'slow_queries' and a.before is not null and not exists (
    select from keyed k
    where k.moment = 'before' and k.name like 'slow\_queries%' and left(k.cells ->> 'query', 80) = c.cells ->> 'query')
), suggested (place, within, title, why, sql, undo) as (
  select 1, row_number() over (order by (c.cells -> 'dead_rows')::numeric desc),
    format('Vacuum %I.%I', c.cells ->> 'schema_name', c.cells ->> 'table_name'),
    format('%s dead rows for every 100 live ones: every scan reads them too. It changes no content, so there is nothing to undo.',
      c.cells ->> 'dead_pct'),
    format('VACUUM (ANALYZE) %I.%I;', c.cells ->> 'schema_name', c.cells ->> 'table_name'), null
  from compared c, asked a
  where c.name = 'tables'
    and a.picture -> 'tables' -> 'advice' ? format('VACUUM ANALYZE %I.%I;', c.cells ->> 'schema_name', c.cells ->> 'table_name')
  union all
  select 2, row_number() over (order by (nullif(c.cells -> 'bytes', 'null'))::numeric desc nulls last),
    format('Drop the index %I.%I', c.cells ->> 'schema_name', c.cells ->> 'index_name'),
    format('It takes %s and work at every write, and was never scanned in %s days. Ask standbys too before: their scans are not seen here.',
      c.cells ->> 'size', c.cells ->> 'stats_days'),
    format('DROP INDEX CONCURRENTLY %I.%I;', c.cells ->> 'schema_name', c.cells ->> 'index_name'), c.cells ->> 'undo'
  from compared c
  where c.name = 'indexes' and c.cells -> 'unused' = 'true' and c.cells ->> 'undo' is not null
  union all
  select 4, row_number() over (order by c.place),
    format('Find what reads all of %I.%I', c.cells ->> 'schema_name', c.cells ->> 'table_name'),
    format('It has %s rows and was read from end to end %s times. An index on what a WHERE asks for spares that; this only lists the statements.',
      c.cells ->> 'live_rows', c.cells ->> 'seq_scans'),
    format(case when a.picture ? 'slow_queries'
        then 'SELECT calls, query FROM pg_stat_statements WHERE strpos(lower(query), lower(%L)) > 0 ORDER BY total_exec_time DESC LIMIT 5;'
        else 'SELECT pid, query FROM pg_stat_activity WHERE strpos(lower(query), lower(%L)) > 0;' end,
      c.cells ->> 'table_name'), null
  from compared c, asked a
  where c.name = 'missing_indexes' and (c.cells -> 'seq_scans')::numeric >= 10
  union all
  select 3, row_number() over (order by c.place),
    format('Index the foreign key %s of %I.%I', c.cells ->> 'key_name', c.cells ->> 'schema_name', c.cells ->> 'table_name'),
    format('It has %s rows, and no index begins with the columns of that key: joins by it, and deletes at its other end, read all of it.',
      c.cells ->> 'live_rows'),
    c.cells ->> 'sql', c.cells ->> 'undo'
  from compared c
  where c.name = 'unindexed_keys'
  union all
  select 5, row_number() over (order by c.place),
    format('Build the invalid index %I.%I anew', c.cells ->> 'schema_name', c.cells ->> 'index_name'),
    'It was not finished: every write pays for it and no query uses it.',
    format('REINDEX INDEX CONCURRENTLY %I.%I;', c.cells ->> 'schema_name', c.cells ->> 'index_name'), null
  from compared c
  where c.name = 'indexes' and c.cells ->> 'kind' = 'invalid'
), section as (
  select s.place, s.name, json_build_object(
    'columns', coalesce(a.picture -> s.name -> 'columns', '[]'), 'rows', coalesce(a.picture -> s.name -> 'rows', '[]'),
    'advice', coalesce(a.picture -> s.name -> 'advice', '[]'),
    'error', case when s.name like 'slow\_queries%' and a.picture -> s.name is null
      then 'nothing is known of statements: cat stats/slow_queries says how to turn them on' end,
    'deltas', coalesce(case when a.before is not null then d.rows end, '[]')) as body
  from asked a
  cross join sections s
  left join deltas d on d.name = s.name
)
select json_build_object(
  'schema_version', 1,
  'week', a.week,
  'from', to_char(a.begins at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'to', to_char(a.ends at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'measured_at', to_char(a.taken_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'database', a.database,
  'server', a.server,
  'notice', a.notice,
  'health', json_build_object(
    'score', h.cells -> 'score', 'status', h.cells -> 'status', 'reason', h.cells -> 'reason',
    'components', coalesce((select json_agg(c.cells order by c.place) from compared c where c.name = 'health_components'), '[]')),
  'previous', case when a.before is not null then json_build_object(
    'score', (select k.cells -> 'score' from keyed k where k.moment = 'before' and k.name = 'health'),
    'measured_at', to_char(a.before_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end,
  'alerts_of_week', a.alerts,
  'tables', (select body from section where name = 'tables'),
  'indexes', (select body from section where name = 'indexes'),
  'cache_hit', (select body from section where name = 'cache_hit'),
  'connections', (select body from section where name = 'connections'),
  'slow_queries', (select body from section where name = 'slow_queries'),
  'slow_queries_total', (select body from section where name = 'slow_queries_total'),
  'missing_indexes', (select body from section where name = 'missing_indexes'),
  'growth', coalesce((
    select json_agg(json_build_object('name', g.name, 'kind', g.kind, 'bytes', g.bytes, 'delta_bytes', g.delta)
      order by g.delta desc nulls last, g.bytes desc, g.name) from growth g), '[]'),
  'new_queries', json_build_object(
    'columns', '["mean_ms", "calls", "query"]'::json,
    'rows', coalesce((select json_agg(json_build_array(q.cells -> 'mean_ms', q.cells -> 'calls', q.cells -> 'query') order by q.place)
      from new_queries q), '[]'),
    'advice', '[]'::json,
    'error', case when a.before is null then 'what is new is known once two captures lie a week apart' end),
  'backups', json_build_object('columns', '[]'::json, 'rows', '[]'::json, 'advice', '[]'::json,
    'error', 'not known to the database: tuskfs backup --list DIR tells when the last ones were made and verified'),
  'actions', coalesce((
    select json_agg(json_build_object('title', t.title, 'why', t.why, 'sql', t.sql, 'undo', t.undo) order by t.within, t.place)
    from (select s.title, s.why, s.sql, s.undo, s.within, s.place from suggested s order by s.within, s.place limit 3) as t), '[]'),
  'trend', coalesce(a.trend, '[]')) as document
from asked a
left join health h on true
