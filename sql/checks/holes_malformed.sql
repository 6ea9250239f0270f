-- Holes are pairs (first, last) in order that do not touch; inline content has none.
select f.id as file_id, f.filename, f.holes
from tusk.files f
where f.holes is not null
  and (f.data is not null
    or cardinality(f.holes) % 2 <> 0
    or exists (
      select 1
      from generate_series(1, cardinality(f.holes)) as i
      where f.holes[i] < 0 or (i > 1 and f.holes[i] <= f.holes[i - 1])))
