-- How big the databases of this server are, and the twenty biggest relations of this one.
-- bytes is the size on disk, of a relation without its indexes and TOAST, which have rows of their own.
-- pct is the share of all databases, for a relation of this database.
with held as (
  select relation
  from pg_catalog.pg_locks
  where locktype = 'relation' and mode = 'AccessExclusiveLock'
    and database = (select oid from pg_catalog.pg_database where datname = current_database())
), databases as (
  select datname, pg_database_size(oid) as bytes
  from pg_catalog.pg_database
), relations as (
  select case c.relkind when 'r' then 'table' when 'm' then 'materialized view' when 't' then 'toast'
      else 'index' end as kind,
    case when p.oid is null then format('%I.%I', n.nspname, c.relname)
      else format('%I.%I (%s)', pn.nspname, p.relname, c.relname) end as name,
    case when c.oid in (select relation from held)
      then c.relpages::int8 * current_setting('block_size')::int8 else pg_relation_size(c.oid) end as bytes
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_class p on p.reltoastrelid = c.oid
  left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
  where (c.relkind in ('r', 'm', 'i') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast'))
    or (c.relkind = 't' and pn.nspname not in ('pg_catalog', 'information_schema'))
), biggest as (
  select kind, name, bytes
  from relations
  order by bytes desc nulls last, name
  limit 20
), listed (place, kind, name, bytes, whole) as (
  select 1, 'database', d.datname::text, d.bytes, (select sum(bytes) from databases)
  from databases d
  union all
  select 2, b.kind, b.name, b.bytes, (select bytes from databases where datname = current_database())
  from biggest b
)
select kind, name, bytes, pg_size_pretty(bytes) as size, round(100.0 * bytes / nullif(whole, 0), 1) as pct
from listed
order by place, bytes desc nulls last, name
