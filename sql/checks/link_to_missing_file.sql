-- Every further name belongs to a live file and is in a live folder.
select l.file_id, l.folder_id, l.name
from tusk.file_links l
left join tusk.files f on f.id = l.file_id and f.deleted_at is null
left join tusk.folders d on d.id = l.folder_id and d.deleted_at is null
where f.id is null or d.id is null
