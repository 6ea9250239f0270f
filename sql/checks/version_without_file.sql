-- A version belongs to a file, in a folder or in the trash, and came before its present content.
select v.file_id, v.version, f.version as present
from tusk.file_versions v
left join tusk.files f on f.id = v.file_id
where f.id is null or v.version >= f.version
