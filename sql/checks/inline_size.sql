-- size_bytes is the length of inline content.
select f.tenant_id, f.id as file_id, f.version, f.size_bytes, octet_length(f.data) as bytes
from tusk.files f
where f.data is not null and octet_length(f.data) <> f.size_bytes
union all
select f.tenant_id, v.file_id, v.version, v.size_bytes, octet_length(v.data)
from tusk.file_versions v
left join tusk.files f on f.id = v.file_id
where v.data is not null and octet_length(v.data) <> v.size_bytes
