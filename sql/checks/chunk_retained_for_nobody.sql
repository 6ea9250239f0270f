-- A retained chunk is shared by another row.
select f.tenant_id, c.file_id, c.chunk_no, c.version
from tusk.file_chunks c
left join tusk.files f on f.id = c.file_id
where c.retained
  and not exists (
    select 1
    from tusk.file_chunks r
    where r.src_file_id = c.file_id and r.src_chunk_no = c.chunk_no and r.src_version = c.version)
