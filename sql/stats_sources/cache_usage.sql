-- The cache.
select 'cache' as kind, 'cache' as name, c.items, c.bytes, s.max_bytes as limit_bytes
from tusk_cache.settings s
cross join (
  select count(*) as items, coalesce(sum(k.bytes), 0)::int8 as bytes
  from tusk_cache.cache k
) c
