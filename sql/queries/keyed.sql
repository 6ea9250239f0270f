-- What a mount asks for the files of settings, flags, limits and sessions. All parameters are text,
-- first the keys on the way to the file, and so are all columns:
--   find, list   key, size in bytes (null: not known), microseconds since 1970 of the last change;
--                list takes the key to go on after, and how many
--   read         text, microseconds of the last change (null: now)
--   write        whether it was granted, what the file then says (null: nothing)
--   make, remove no row: there is one already, there is none

-- name: keyed_ttl_list
select
  c.key,
  (octet_length((case when l.ms < 0 then -1 else round(l.ms / 1000) end)::text) + 1)::text,
  null::text
from tusk_cache.cache c
cross join lateral tusk_cache.milliseconds_left(c.expires_at) l (ms)
where c.key > $1::text
  and tusk_cache.live(c.expires_at)
order by c.key
limit $2::text::int8

-- name: keyed_ttl_find_by_hash
-- As cache_find_by_hash.
select
  c.key,
  (octet_length((case when l.ms < 0 then -1 else round(l.ms / 1000) end)::text) + 1)::text,
  null::text
from tusk_cache.cache c
cross join lateral tusk_cache.milliseconds_left(c.expires_at) l (ms)
where sha256(decode(replace(c.key, '\', '\\'), 'escape')) = decode($1::text, 'hex')
  and octet_length(c.key) > 85
  and tusk_cache.live(c.expires_at)

-- name: keyed_ttl_read
-- Seconds; -1 for no end.
select (case when l.ms < 0 then -1 else round(l.ms / 1000) end)::text || E'\n', null::text
from tusk_cache.cache c
cross join lateral tusk_cache.milliseconds_left(c.expires_at) l (ms)
where c.key = $1::text
  and tusk_cache.live(c.expires_at)

-- name: keyed_ttl_write
-- Seconds; 0 removes, -1 is for ever.
with wanted as (
  select $2::text::int8 as seconds
), gone as (
  delete from tusk_cache.cache c
  using wanted w
  where c.key = $1::text
    and w.seconds = 0
    and tusk_cache.live(c.expires_at)
  returning c.key
), changed as (
  update tusk_cache.cache c
  set expires_at = case
    when w.seconds > 0 then clock_timestamp() + w.seconds * interval '1 second'
  end
  from wanted w
  where c.key = $1::text
    and w.seconds <> 0
    and tusk_cache.live(c.expires_at)
  returning c.key
)
select 'true', null::text from gone
union all
select 'true', null::text from changed

-- name: keyed_stats_read
select
  format(E'keys %s\nbytes %s\nevicted %s\nexpired %s\n', s.keys, s.bytes, s.evicted, s.expired),
  null::text
from tusk_cache.stats() s

-- name: keyed_config_read
select
  format(E'default_ttl %s\nmax_value %s\nmax_bytes %s\n',
    trim_scale(extract(epoch from s.default_ttl)::numeric), s.max_value, s.max_bytes),
  null::text
from tusk_cache.settings s

-- name: keyed_config_write
-- Seconds, bytes, bytes; what is empty stays.
update tusk_cache.settings s
set default_ttl = coalesce(
    nullif($1::text, '')::float8 * interval '1 second', s.default_ttl),
  max_value = coalesce(nullif($2::text, '')::int8, s.max_value),
  max_bytes = coalesce(nullif($3::text, '')::int8, s.max_bytes)
returning 'true', null::text

-- name: keyed_flush
-- A pattern, or nothing for all keys.
select 'true', null::text from tusk_cache.flush(nullif($1::text, ''))

-- name: keyed_sweep
select 'true', null::text from tusk_cache.sweep(100000)

-- name: keyed_flag_list
select f.name, '0', (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name > $1::text
order by f.name
limit $2::text::int8

-- name: keyed_flag_find
select f.name, '0', (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_flag_make
insert into tusk_cache.feature_flags (name, updated_at)
values ($1::text, clock_timestamp())
on conflict (name) do nothing
returning name

-- name: keyed_flag_remove
delete from tusk_cache.feature_flags f where f.name = $1::text returning f.name

-- name: keyed_flag_enabled_read
select f.enabled::int::text || E'\n', (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_flag_enabled_write
update tusk_cache.feature_flags f
set enabled = $2::text::boolean, updated_at = clock_timestamp()
where f.name = $1::text
returning 'true', null::text

-- name: keyed_flag_percentage_read
select
  trim_scale(f.percentage)::text || E'\n',
  (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_flag_percentage_write
update tusk_cache.feature_flags f
set percentage = $2::text::numeric, updated_at = clock_timestamp()
where f.name = $1::text
returning 'true', null::text

-- name: keyed_flag_actors_read
-- One a line.
select
  coalesce((
    select string_agg(a.actor || E'\n', '' order by a.place)
    from unnest(f.actors) with ordinality a (actor, place)), ''),
  (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_flag_actors_write
update tusk_cache.feature_flags f
set actors = array_remove(string_to_array($2::text, E'\n'), ''), updated_at = clock_timestamp()
where f.name = $1::text
returning 'true', null::text

-- name: keyed_flag_description_read
select
  case when f.description = '' then '' else f.description || E'\n' end,
  (extract(epoch from f.updated_at) * 1000000)::int8::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_flag_description_write
update tusk_cache.feature_flags f
set description = $2::text, updated_at = clock_timestamp()
where f.name = $1::text
returning 'true', null::text

-- name: keyed_flag_check_read
-- Flag, actor.
select tusk_cache.flag_enabled(f.name, $2::text)::int::text || E'\n', null::text
from tusk_cache.feature_flags f
where f.name = $1::text

-- name: keyed_bucket_list
select b.name, '0', null::text
from tusk_cache.rate_buckets b
where b.name collate "C" > $1::text
order by b.name collate "C"
limit $2::text::int8

-- name: keyed_bucket_find
select b.name, '0', null::text
from tusk_cache.rate_buckets b
where b.name = $1::text

-- name: keyed_bucket_make
insert into tusk_cache.rate_buckets (name, algorithm, burst, count, period)
values ($1::text, 'gcra', 15, 30, interval '60 seconds')
on conflict (name) do nothing
returning name

-- name: keyed_bucket_remove
-- With what was counted.
with gone as (
  delete from tusk_cache.rate_buckets b where b.name = $1::text returning b.name
), counted as (
  delete from tusk_cache.rate_limits r using gone g where r.bucket = g.name
)
select g.name from gone g

-- name: keyed_bucket_config_read
select
  format(E'burst %s\ncount %s\nperiod %s\nalgorithm %s\n', b.burst, b.count,
    trim_scale(extract(epoch from b.period)::numeric), b.algorithm),
  null::text
from tusk_cache.rate_buckets b
where b.name = $1::text

-- name: keyed_bucket_config_write
-- Bucket, burst, count, seconds, algorithm; what is empty stays.
update tusk_cache.rate_buckets b
set burst = coalesce(nullif($2::text, '')::int4, b.burst),
  count = coalesce(nullif($3::text, '')::int4, b.count),
  period = coalesce(nullif($4::text, '')::float8 * interval '1 second', b.period),
  algorithm = coalesce(nullif($5::text, ''), b.algorithm)
where b.name = $1::text
returning 'true', null::text

-- name: keyed_rate_list
-- Who used something of the bucket's limit.
select r.key, null::text, null::text
from tusk_cache.rate_limits r
where r.bucket = $1::text
  and r.key collate "C" > $2::text
  and tusk_cache.live(r.expires_at)
order by r.key collate "C"
limit $3::text::int8

-- name: keyed_rate_read
-- Looks: how long until one more is let through (of a sliding window: at the latest).
select
  format(E'allowed %s\nlimit %s\nremaining %s\nretry_after %s\nreset_after %s\n',
    (t.remaining > 0)::int, t."limit", t.remaining,
    case
      when t.remaining > 0 then -1
      when b.algorithm <> 'gcra' then ceil(extract(epoch from t.reset_after))
      else ceil(extract(epoch from t.reset_after - b.period / b.count * b.burst))
    end,
    ceil(extract(epoch from t.reset_after))),
  null::text
from tusk_cache.rate_buckets b
cross join lateral tusk_cache.rate_take(b.name, $2::text, 0) t
where b.name = $1::text

-- name: keyed_rate_write
-- Bucket, key, how many.
select
  t.allowed::text,
  format(E'allowed %s\nlimit %s\nremaining %s\nretry_after %s\nreset_after %s\n',
    t.allowed::int, t."limit", t.remaining, ceil(extract(epoch from t.retry_after)),
    ceil(extract(epoch from t.reset_after)))
from tusk_cache.rate_buckets b
cross join lateral tusk_cache.rate_take(b.name, $2::text, $3::text::int4) t
where b.name = $1::text

-- name: keyed_rate_remove
-- Nothing used is the same as all forgotten.
select tusk_cache.rate_reset($1::text, $2::text)::text

-- name: keyed_session_list
-- By the hashes.
select
  encode(s.sid_hash, 'hex'),
  (octet_length(s.data::text) + 1)::text,
  (extract(epoch from s.last_seen) * 1000000)::int8::text
from tusk_cache.sessions s
where s.sid_hash > decode($1::text, 'hex')
  and tusk_cache.live(s.expires_at)
order by s.sid_hash
limit $2::text::int8

-- name: keyed_session_find
-- By the hash, or by the token whose hash it is; so below.
select
  encode(s.sid_hash, 'hex'),
  (octet_length(s.data::text) + 1)::text,
  (extract(epoch from s.last_seen) * 1000000)::int8::text
from tusk_cache.sessions s
where s.sid_hash = any (array[
    case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
    tusk_cache.sid_hash($1::text)])
  and tusk_cache.live(s.expires_at)

-- name: keyed_session_read
select s.data::text || E'\n', (extract(epoch from s.last_seen) * 1000000)::int8::text
from tusk_cache.sessions s
where s.sid_hash = any (array[
    case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
    tusk_cache.sid_hash($1::text)])
  and tusk_cache.live(s.expires_at)

-- name: keyed_session_write
-- The end stays.
update tusk_cache.sessions s
set data = $2::text::jsonb
where s.sid_hash = any (array[
    case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
    tusk_cache.sid_hash($1::text)])
  and tusk_cache.live(s.expires_at)
returning 'true', null::text

-- name: keyed_session_remove
delete from tusk_cache.sessions s
where s.sid_hash = any (array[
    case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
    tusk_cache.sid_hash($1::text)])
  and tusk_cache.live(s.expires_at)
returning 'true'

-- name: keyed_session_ttl_list
select
  encode(s.sid_hash, 'hex'),
  (octet_length((case when l.ms < 0 then -1 else round(l.ms / 1000) end)::text) + 1)::text,
  null::text
from tusk_cache.sessions s
cross join lateral tusk_cache.milliseconds_left(s.expires_at) l (ms)
where s.sid_hash > decode($1::text, 'hex')
  and tusk_cache.live(s.expires_at)
order by s.sid_hash
limit $2::text::int8

-- name: keyed_session_ttl_read
select (case when l.ms < 0 then -1 else round(l.ms / 1000) end)::text || E'\n', null::text
from tusk_cache.sessions s
cross join lateral tusk_cache.milliseconds_left(s.expires_at) l (ms)
where s.sid_hash = any (array[
    case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
    tusk_cache.sid_hash($1::text)])
  and tusk_cache.live(s.expires_at)

-- name: keyed_session_ttl_write
-- As keyed_ttl_write. A session has an end: for ever is infinity.
with wanted as (
  select s.sid_hash, $2::text::int8 as seconds
  from tusk_cache.sessions s
  where s.sid_hash = any (array[
      case when $1::text ~ '^[0-9a-f]{64}$' then decode($1::text, 'hex') end,
      tusk_cache.sid_hash($1::text)])
    and tusk_cache.live(s.expires_at)
), gone as (
  delete from tusk_cache.sessions s
  using wanted w
  where s.sid_hash = w.sid_hash
    and w.seconds = 0
  returning s.sid_hash
), changed as (
  update tusk_cache.sessions s
  set expires_at = case
    when w.seconds > 0 then clock_timestamp() + w.seconds * interval '1 second'
    else 'infinity'
  end
  from wanted w
  where s.sid_hash = w.sid_hash
    and w.seconds <> 0
  returning s.sid_hash
)
select 'true', null::text from gone
union all
select 'true', null::text from changed
