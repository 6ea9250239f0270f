-- What a mount asks of the cache. Times are nanoseconds since 1970; an end of null: it has none.

-- name: cache_settings
-- Nobody waits long for a cache.
select
  set_config('application_name', 'tusk-cache', false),
  set_config('statement_timeout', '10s', false),
  set_config('lock_timeout', '5s', false),
  set_config('synchronous_commit', 'off', false),
  set_config('search_path', 'pg_catalog', false)

-- name: feed_settings
-- Who listens to what others change, once a connection.
select set_config('application_name', 'tusk-feed', false)

-- name: cache_get
-- No row or one.
select
  coalesce(c.raw, convert_to(c.value::text, 'UTF8')),
  c.bytes,
  (extract(epoch from c.created_at) * 1000000)::int8 * 1000,
  (extract(epoch from c.expires_at) * 1000000)::int8 * 1000
from tusk_cache.cache c
where c.key = $1::text
  and tusk_cache.live(c.expires_at)

-- name: cache_find
-- The same without the bytes.
select
  null::bytea,
  c.bytes,
  (extract(epoch from c.created_at) * 1000000)::int8 * 1000,
  (extract(epoch from c.expires_at) * 1000000)::int8 * 1000
from tusk_cache.cache c
where c.key = $1::text
  and tusk_cache.live(c.expires_at)

-- name: cache_find_by_hash
-- The sha256 of a long key in hex; as cache_scan. By the index cache_long_keys.
select
  c.key,
  c.bytes,
  (extract(epoch from c.created_at) * 1000000)::int8 * 1000,
  (extract(epoch from c.expires_at) * 1000000)::int8 * 1000
from tusk_cache.cache c
where sha256(decode(replace(c.key, '\', '\\'), 'escape')) = decode($1::text, 'hex')
  and octet_length(c.key) > 85
  and tusk_cache.live(c.expires_at)

-- name: cache_scan
-- A page of keys after one, in order, as cache_find.
select
  c.key,
  c.bytes,
  (extract(epoch from c.created_at) * 1000000)::int8 * 1000,
  (extract(epoch from c.expires_at) * 1000000)::int8 * 1000
from tusk_cache.cache c
where c.key > $1::text
  and tusk_cache.live(c.expires_at)
order by c.key
limit $2::int8

-- name: cache_set
-- Key, bytes, whether only where there is none, whether the time left stays.
select tusk_cache.set_bytes($1::text, $2::bytea, nx => $3::bool, keepttl => $4::bool)

-- name: cache_set_all
-- Many keys at once, each once; answers as cache_scan.
select
  m.key,
  m.bytes,
  (extract(epoch from m.created_at) * 1000000)::int8 * 1000,
  (extract(epoch from m.expires_at) * 1000000)::int8 * 1000
from tusk_cache.mset_bytes($1::text[], $2::bytea[], $3::bool[]) m

-- name: cache_append
select tusk_cache.append($1::text, $2::bytea)

-- name: cache_del
select tusk_cache.del($1::text)

-- name: cache_rename
-- Key, new key, whether only where there is none.
select tusk_cache.rename($1::text, $2::text, $3::bool)

-- name: cache_expire_at
-- Key, time in nanoseconds.
select tusk_cache.expire_at($1::text, to_timestamp($2::int8 / 1e9))

-- name: cache_persist
select tusk_cache.persist($1::text)

-- name: cache_sweep
-- A batch of what has come to its end, or is too much; whether there may be more.
select tusk_cache.sweep(1000) >= 1000

-- name: cache_limit
select s.max_value
from tusk_cache.settings s
