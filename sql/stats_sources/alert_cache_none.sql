-- Where there is no cache, or it may not be read.
select null::float8 as bytes, null::float8 as max_bytes
where false
