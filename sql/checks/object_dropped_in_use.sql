-- What is to be removed is not referred to.
select o.tenant_id, o.id as object_id, o.url
from tusk.objects o
where o.state = 'dropped'
  and tusk.is_referenced(o.url)
