-- Nothing is staged while the tree is not mounted: the next mount would remove it.
select s.file_id, s.version
from tusk.staging s
join tusk.mounts m on m.tenant_id = s.tenant_id
where not exists (
  select 1
  from pg_catalog.pg_locks l
  where l.pid = m.backend_pid and l.locktype = 'advisory' and l.granted)
