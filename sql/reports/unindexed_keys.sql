-- Foreign keys of tables of 10000 rows and more whose columns no index begins with: a join by them, and each
-- delete at their other end, reads the whole table. With the index that spares that, and how to be rid of it.
select n.nspname::text as schema_name, c.relname::text as table_name, k.conname::text as key_name,
  s.n_live_tup as live_rows, s.seq_scan as seq_scans,
  format('CREATE INDEX CONCURRENTLY %I ON %I.%I (%s);', x.name, n.nspname, c.relname, x.columns) as sql,
  format('DROP INDEX CONCURRENTLY %I.%I;', n.nspname, x.name) as undo
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid and c.relkind = 'r'
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_stat_user_tables s on s.relid = k.conrelid
cross join lateral (
  select left(c.relname, 20) || '_' || left(k.conname, 20) || '_' || left(md5(k.conname), 4) as name,
    string_agg(quote_ident(a.attname), ', ' order by p.place) as columns
  from unnest(k.conkey) with ordinality as p (number, place)
  join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number) as x
where k.contype = 'f' and s.n_live_tup >= 10000
  and not exists (
    select from pg_catalog.pg_index i
    where i.indrelid = k.conrelid and i.indpred is null
      and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
  -- The undo must never be of another index.
  and not exists (
    select from pg_catalog.pg_class o where o.relnamespace = c.relnamespace and o.relname = x.name)
order by s.seq_tup_read desc, n.nspname, c.relname, k.conname
limit 10
