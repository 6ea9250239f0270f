-- deletes what was stored ahead and never published, as the next mount would
select tusk.drop_chunks(
  array_agg(x.file_id), array_agg(0::int8), array_agg(9223372036854775807),
  array_agg(coalesce(f.version + 1, 0)), array_agg(9223372036854775807))
from pg_temp.finding x
left join tusk.files f on f.id = x.file_id
having count(*) > 0;

delete from tusk.staging s
using pg_temp.finding x
where s.file_id = x.file_id
  and s.version = x.version
