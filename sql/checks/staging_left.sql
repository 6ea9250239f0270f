-- Nothing is staged while the tree is not mounted: the next mount would remove it.
select s.tenant_id, s.file_id, s.version
from tusk.staging s
where not exists (
  select 1
  from pg_catalog.pg_locks l
  where l.locktype = 'advisory'
    and l.granted
    and l.pid <> pg_backend_pid()
    and l.objsubid = 1
    and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and l.classid = ((tusk.tree_lock_key(s.tenant_id) >> 32) & 4294967295)::oid
    and l.objid = (tusk.tree_lock_key(s.tenant_id) & 4294967295)::oid)
