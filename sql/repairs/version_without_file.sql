-- deletes the version
delete from tusk.file_versions v
using pg_temp.finding x
where v.file_id = x.file_id
  and v.version = x.version
