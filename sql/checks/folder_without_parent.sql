-- Every live folder but the roots is in a live folder of the same tree.
select d.tenant_id, d.id as folder_id, d.name, d.parent_id
from tusk.folders d
left join tusk.folders p on p.id = d.parent_id and p.tenant_id = d.tenant_id and p.deleted_at is null
where d.deleted_at is null and p.id is null
