-- An object is as long as the content it holds, and has a checksum for each 65536 bytes.
select o.tenant_id, o.id as object_id, o.url, o.size_bytes, f.size_bytes as of_content
from tusk.objects o
join (
  select c.external_url, c.size_bytes
  from tusk.files c
  union all
  select v.external_url, v.size_bytes
  from tusk.file_versions v) f
  on f.external_url = o.url
where o.size_bytes <> f.size_bytes
  or octet_length(o.sums) is distinct from (o.size_bytes + 65535) / 65536 * 8
