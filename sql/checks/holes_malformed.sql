-- Holes are pairs (first, last) in order that do not touch; inline content has none.
select f.tenant_id, f.id as file_id, f.version, f.holes
from (
  select c.tenant_id, c.id, c.version, c.holes, c.data is not null as is_inline
  from tusk.files c
  union all
  select c.tenant_id, v.file_id, v.version, v.holes, v.data is not null
  from tusk.file_versions v
  left join tusk.files c on c.id = v.file_id) f
where f.holes is not null
  and (f.is_inline
    or cardinality(f.holes) % 2 <> 0
    or exists (
      select 1
      from generate_series(1, cardinality(f.holes)) as i
      where f.holes[i] < 0 or (i > 1 and f.holes[i] <= f.holes[i - 1])))
