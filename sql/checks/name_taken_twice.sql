-- A name in a folder belongs to one live folder, file or further name.
select n.folder_id, n.name, count(*) as times
from (
  select parent_id as folder_id, name from tusk.folders where deleted_at is null and parent_id <> id
  union all
  select folder_id, filename from tusk.files where deleted_at is null
  union all
  select folder_id, name from tusk.file_links) n
group by n.folder_id, n.name
having count(*) > 1
