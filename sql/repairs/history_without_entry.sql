-- deletes the ended name
delete from tusk.path_history h
using pg_temp.finding x
where h.folder_id = x.folder_id
  and h.entry_id = x.entry_id
  and h.until_ns = x.until_ns
  and h.name = x.name
