-- size_bytes is the length of inline content.
select f.id as file_id, f.filename, f.size_bytes, octet_length(f.data) as bytes
from tusk.files f
where f.data is not null and octet_length(f.data) <> f.size_bytes
