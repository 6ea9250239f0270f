-- Every name is one that a path can hold.
select n.id, n.name
from (
  select id, name from tusk.folders where parent_id <> id
  union all
  select id, filename from tusk.files where deleted_at is null
  union all
  select file_id, name from tusk.file_links) n
where n.name in ('', '.', '..') or strpos(n.name, '/') > 0 or octet_length(n.name) > 255
