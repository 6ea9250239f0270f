-- Only staged versions have chunks above the published version.
select f.tenant_id, c.file_id, c.chunk_no, c.version, f.version as published
from tusk.file_chunks c
join tusk.files f on f.id = c.file_id
where (c.version > f.version or c.version < 0)
  and not c.retained
  and not exists (
    select 1 from tusk.staging s where s.file_id = c.file_id and s.version > f.version)
