-- deletes the further name
delete from tusk.file_links l
using pg_temp.finding x
where l.folder_id = x.folder_id
  and l.name = x.name
