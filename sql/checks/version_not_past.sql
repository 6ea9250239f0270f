-- A version came before the present content of its file.
select f.tenant_id, v.file_id, v.version, f.version as present
from tusk.file_versions v
join tusk.files f on f.id = v.file_id
where v.version >= f.version
