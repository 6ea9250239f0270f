-- Every further name belongs to a live file and is in a live folder.
select coalesce(f.tenant_id, d.tenant_id) as tenant_id, l.file_id, l.folder_id, l.name
from tusk.file_links l
left join tusk.files f on f.id = l.file_id
left join tusk.folders d on d.id = l.folder_id
where (f.id is not null and f.deleted_at is null and d.id is not null and d.deleted_at is null)
  is not true
