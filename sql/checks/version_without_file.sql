-- A version belongs to a file, in a folder or in the trash.
select null::uuid as tenant_id, v.file_id, v.version
from tusk.file_versions v
where not exists (select 1 from tusk.files f where f.id = v.file_id)
