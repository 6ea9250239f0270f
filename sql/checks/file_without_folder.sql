-- Every live file is in a live folder of the same tree. What is in the trash keeps the folder it had.
select f.tenant_id, f.id as file_id, f.filename, f.folder_id
from tusk.files f
left join tusk.folders d on d.id = f.folder_id and d.tenant_id = f.tenant_id and d.deleted_at is null
where f.deleted_at is null and d.id is null
