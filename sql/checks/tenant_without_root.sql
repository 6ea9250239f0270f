-- Every tree has its root folder, which is its own parent.
select t.id as tenant_id, t.root_id
from tusk.tenants t
left join tusk.folders d
  on d.id = t.root_id and d.parent_id = d.id and d.tenant_id = t.id and d.deleted_at is null
where d.id is null
