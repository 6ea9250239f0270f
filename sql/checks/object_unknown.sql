-- External content is in an object that is stored.
select f.tenant_id, f.id as file_id, f.filename, f.version, f.external_url
from (
  select c.tenant_id, c.id, c.filename, c.version, c.external_url
  from tusk.files c
  where c.external_url is not null
  union all
  select c.tenant_id, c.id, c.filename, v.version, v.external_url
  from tusk.file_versions v
  join tusk.files c
    on c.id = v.file_id
  where v.external_url is not null) f
where not exists (
  select 1
  from tusk.objects o
  where o.url = f.external_url
    and o.state in ('stored', 'dropped'))
