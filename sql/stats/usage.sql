-- What is kept in this database: a row for each tree of files and one for the cache, where they are.
-- items are files, folders apart, or keys; bytes their length, versions and trash apart. limit_bytes is
-- the quota, or what the cache may hold; pct the share of it.
select u.kind, u.name, u.items, u.bytes, pg_size_pretty(u.bytes) as size, u.limit_bytes,
  round(100.0 * u.bytes / nullif(u.limit_bytes, 0), 1) as pct
from (
  select 1 as place, t.kind, t.name, t.items, t.bytes, t.limit_bytes
  from tree_usage t
  union all
  select 2, c.kind, c.name, c.items, c.bytes, c.limit_bytes
  from cache_usage c
) u
order by u.place, u.bytes desc, u.name
