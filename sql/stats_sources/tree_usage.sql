-- The trees of files, as their mounts have counted them.
select 'tree' as kind, t.name, m.files as items, m.bytes, t.quota_bytes as limit_bytes
from tusk.tenants t
join tusk.mounts m
  on m.tenant_id = t.id
