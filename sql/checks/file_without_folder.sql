-- Every live file is in a folder that exists and belongs to the same tree.
select f.id as file_id, f.filename, f.folder_id
from tusk.files f
left join tusk.folders d on d.id = f.folder_id and d.tenant_id = f.tenant_id and d.deleted_at is null
where f.deleted_at is null and d.id is null
