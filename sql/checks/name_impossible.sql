-- Every name is one that a path can hold.
select n.tenant_id, n.kind, n.id, n.folder_id, n.name
from (
  select d.tenant_id, 'folder' as kind, d.id, d.parent_id as folder_id, d.name
  from tusk.folders d
  where d.parent_id <> d.id and d.deleted_at is null
  union all
  select f.tenant_id, 'file', f.id, f.folder_id, f.filename
  from tusk.files f
  where f.deleted_at is null
  union all
  select f.tenant_id, 'link', l.file_id, l.folder_id, l.name
  from tusk.file_links l
  left join tusk.files f on f.id = l.file_id) n
where n.name in ('', '.', '..') or strpos(n.name, '/') > 0 or octet_length(n.name) > 255
