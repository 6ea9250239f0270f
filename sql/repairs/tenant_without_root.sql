-- makes the root folder again, where its row is gone
insert into tusk.folders (id, tenant_id, parent_id, name)
select x.root_id, x.tenant_id, x.root_id, ''
from pg_temp.finding x
on conflict (id) do nothing
