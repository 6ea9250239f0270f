-- An extended attribute belongs to a file or folder that exists and knows that it has some.
select x.owner_id, x.name
from tusk.xattrs x
where not exists (select 1 from tusk.files f where f.id = x.owner_id and f.has_xattrs)
  and not exists (select 1 from tusk.folders d where d.id = x.owner_id and d.has_xattrs)
