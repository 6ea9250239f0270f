-- A version ended no later than what came next began, so that a moment has one content.
select v.tenant_id, v.file_id, v.version, v.until_ns, v.next_ns
from (
  select o.*, lead(o.content_at_ns) over (partition by o.file_id order by o.version) as next_ns
  from (
    select f.tenant_id, f.id as file_id, f.version, f.content_at_ns, null::int8 as until_ns
    from tusk.files f
    where exists (select 1 from tusk.file_versions h where h.file_id = f.id)
    union all
    select f.tenant_id, h.file_id, h.version, h.content_at_ns, h.until_ns
    from tusk.file_versions h
    left join tusk.files f on f.id = h.file_id) o) v
where v.until_ns > v.next_ns
