-- Where there is none, or it may not be read.
select null::text as kind, null::text as name, null::int8 as items, null::int8 as bytes, null::int8 as limit_bytes
where false
