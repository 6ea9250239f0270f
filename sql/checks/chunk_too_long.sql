-- A chunk holds at most 65536 bytes.
select c.file_id, c.chunk_no, c.version, octet_length(c.data) as bytes
from tusk.file_chunks c
where octet_length(c.data) > 65536
