-- puts its id before its name
update tusk.files f
set filename = pg_temp.lost_name(f.id, f.filename)
from pg_temp.finding x
where x.kind = 'file'
  and f.id = x.id;

update tusk.file_links l
set name = pg_temp.lost_name(l.file_id, l.name)
from pg_temp.finding x
where x.kind = 'link'
  and l.folder_id = x.folder_id
  and l.name = x.name
