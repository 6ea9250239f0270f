-- deletes the chunk
select tusk.drop_chunks(
  array_agg(x.file_id), array_agg(x.chunk_no), array_agg(x.chunk_no + 1), array_agg(x.version),
  array_agg(x.version + 1))
from pg_temp.finding x
having count(*) > 0
