-- Every live folder is reached from the root of its tree: no circles.
with recursive reached as (
  select t.root_id as id from tusk.tenants t
  union
  select d.id
  from tusk.folders d
  join reached r on d.parent_id = r.id
  where d.deleted_at is null
)
select d.tenant_id, d.id as folder_id, d.name, d.parent_id
from tusk.folders d
left join reached r on r.id = d.id
where d.deleted_at is null and r.id is null
