-- A folder counts 2 links and one for each subfolder.
select d.tenant_id, d.id as folder_id, d.name, d.nlink, 2 + s.subfolders as links
from tusk.folders d
cross join lateral (
  select count(*) as subfolders
  from tusk.folders c
  where c.parent_id = d.id and c.parent_id <> c.id and c.deleted_at is null) s
where d.deleted_at is null and d.nlink <> 2 + s.subfolders
