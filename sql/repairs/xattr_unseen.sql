-- makes the attributes seen
update tusk.files f
set has_xattrs = true
from pg_temp.finding x
where x.kind = 'file'
  and f.id = x.id;

update tusk.folders d
set has_xattrs = true
from pg_temp.finding x
where x.kind = 'folder'
  and d.id = x.id
