-- moves the file into lost+found at the root of its tree
update tusk.files f
set folder_id = pg_temp.lost_found(x.tenant_id), filename = pg_temp.lost_name(f.id, f.filename)
from pg_temp.finding x
where f.id = x.file_id
  and pg_temp.lost_found(x.tenant_id) is not null
