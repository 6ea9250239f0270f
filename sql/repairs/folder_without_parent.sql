-- moves the folder into lost+found at the root of its tree
update tusk.folders d
set parent_id = pg_temp.lost_found(x.tenant_id), name = pg_temp.lost_name(d.id, d.name)
from pg_temp.finding x
where d.id = x.folder_id
  and pg_temp.lost_found(x.tenant_id) is not null
