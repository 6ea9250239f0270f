-- A version in chunks has a row for every chunk below its size that is not in a hole.
select f.tenant_id, v.file_id, v.version, n as chunk_no
from tusk.file_versions v
left join tusk.files f on f.id = v.file_id
cross join lateral generate_series(0, (v.size_bytes + 65535) / 65536 - 1) as n
where v.data is null
  and v.storage_type = 'db'
  and not exists (
    select 1
    from generate_series(1, coalesce(cardinality(v.holes), 0), 2) as i
    where n >= v.holes[i] and n < v.holes[i + 1])
  and not exists (
    select 1
    from tusk.file_chunks c
    where c.file_id = v.file_id and c.chunk_no = n and c.version <= v.version and not c.retained)
