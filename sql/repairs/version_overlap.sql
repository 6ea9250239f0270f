-- ends the version where the next one begins
update tusk.file_versions v
set until_ns = x.next_ns
from pg_temp.finding x
where v.file_id = x.file_id
  and v.version = x.version
