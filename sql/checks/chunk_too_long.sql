-- A chunk holds at most 65536 bytes.
select f.tenant_id, c.file_id, c.chunk_no, c.version, octet_length(c.data) as bytes
from tusk.file_chunks c
left join tusk.files f on f.id = c.file_id
where octet_length(c.data) > 65536
