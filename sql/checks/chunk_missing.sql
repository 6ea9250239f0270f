-- Chunked content has a row for every chunk below the size that is not in a hole.
select f.tenant_id, f.id as file_id, f.filename, n as chunk_no
from tusk.files f
cross join lateral generate_series(0, (f.size_bytes + 65535) / 65536 - 1) as n
where f.data is null
  and f.storage_type = 'db'
  and not exists (
    select 1
    from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
    where n >= f.holes[i] and n < f.holes[i + 1])
  and not exists (
    select 1
    from tusk.file_chunks c
    where c.file_id = f.id and c.chunk_no = n and c.version <= f.version and not c.retained)
