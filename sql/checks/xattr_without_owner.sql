-- An extended attribute belongs to a file or folder that exists.
select null::uuid as tenant_id, x.owner_id, x.name
from tusk.xattrs x
where not exists (select 1 from tusk.files f where f.id = x.owner_id)
  and not exists (select 1 from tusk.folders d where d.id = x.owner_id)
