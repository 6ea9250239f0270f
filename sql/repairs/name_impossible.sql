-- gives it its id as its name
update tusk.folders d
set name = d.id::text
from pg_temp.finding x
where x.kind = 'folder'
  and d.id = x.id;

update tusk.files f
set filename = f.id::text
from pg_temp.finding x
where x.kind = 'file'
  and f.id = x.id;

-- A file may have several such links: its id would not do.
update tusk.file_links l
set name = gen_random_uuid()::text
from pg_temp.finding x
where x.kind = 'link'
  and l.folder_id = x.folder_id
  and l.name = x.name
