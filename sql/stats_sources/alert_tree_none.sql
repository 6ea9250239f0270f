-- Where there are no trees, or they may not be read.
select null::text as name, null::float8 as value, null::text as unit, null::text as severity,
  null::float8 as threshold, null::boolean as calm, null::text as message
where false
