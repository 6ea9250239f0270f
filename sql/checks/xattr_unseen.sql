-- A file or folder with extended attributes knows that it has some.
select o.tenant_id, o.kind, o.id
from (
  select f.tenant_id, 'file' as kind, f.id from tusk.files f where not f.has_xattrs
  union all
  select d.tenant_id, 'folder', d.id from tusk.folders d where not d.has_xattrs) o
where exists (select 1 from tusk.xattrs x where x.owner_id = o.id)
