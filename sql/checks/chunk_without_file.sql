-- A chunk belongs to a file that exists, is being stored ahead, or is retained because others share it.
select null::uuid as tenant_id, c.file_id, c.chunk_no, c.version
from tusk.file_chunks c
where not exists (select 1 from tusk.files f where f.id = c.file_id)
  and not exists (select 1 from tusk.staging s where s.file_id = c.file_id)
  and not c.retained
