-- deletes the chunk
delete from tusk.file_chunks c
using pg_temp.finding x
where c.file_id = x.file_id
  and c.chunk_no = x.chunk_no
  and c.version = x.version
