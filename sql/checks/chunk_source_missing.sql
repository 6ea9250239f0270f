-- A chunk has data of its own or shares those of a row that has.
select f.tenant_id, c.file_id, c.chunk_no, c.version, c.src_file_id, c.src_chunk_no, c.src_version
from tusk.file_chunks c
left join tusk.files f on f.id = c.file_id
left join tusk.file_chunks s
  on s.file_id = c.src_file_id and s.chunk_no = c.src_chunk_no and s.version = c.src_version
where (c.data is null) = (c.src_file_id is null)
  or (c.src_file_id is not null and (s.data is null or s.checksum <> c.checksum))
