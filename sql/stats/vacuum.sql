-- What VACUUM has to do and is doing, tables under a running VACUUM first, then by dead rows.
-- dead_pct is dead rows for every 100 live ones; changed_rows those changed since the last ANALYZE.
-- last_vacuum and last_analyze are the later of by hand and by autovacuum. running is the phase of a
-- VACUUM under way and the per cent of the heap scanned. xid_age is in transactions, with TOAST;
-- freeze_pct is its share of autovacuum_freeze_max_age, at 100 a VACUUM is forced.
with running as (
  select relid, format('%s %s %%', phase,
    coalesce(100 * heap_blks_scanned / nullif(heap_blks_total, 0), 0)) as progress
  from pg_catalog.pg_stat_progress_vacuum
  where datname = current_database()
), listed as (
  select s.schemaname, s.relname, s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze,
    greatest(s.last_vacuum, s.last_autovacuum) as last_vacuum,
    greatest(s.last_analyze, s.last_autoanalyze) as last_analyze,
    s.vacuum_count + s.autovacuum_count as vacuums,
    coalesce(r.progress, x.progress) as running,
    greatest(age(c.relfrozenxid), age(t.relfrozenxid)) as xid_age
  from pg_catalog.pg_stat_user_tables s
  join pg_catalog.pg_class c on c.oid = s.relid and c.relkind in ('r', 'm')
  left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
  left join running r on r.relid = c.oid
  left join running x on x.relid = t.oid
  where s.schemaname not like 'pg\_temp\_%'
)
select schemaname::text as schema_name, relname::text as table_name, n_live_tup as live_rows,
  n_dead_tup as dead_rows, round(100.0 * n_dead_tup / greatest(n_live_tup, 1), 1) as dead_pct,
  n_mod_since_analyze as changed_rows, last_vacuum, last_analyze, vacuums, running, xid_age,
  round(100.0 * xid_age / current_setting('autovacuum_freeze_max_age')::int8, 1) as freeze_pct
from listed
order by running is null, n_dead_tup desc, xid_age desc, schemaname, relname
limit 20
