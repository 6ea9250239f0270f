-- What the cache takes, and may hold.
select pg_table_size('tusk_cache.cache')::float8 as bytes, max_bytes::float8 as max_bytes
from tusk_cache.settings
