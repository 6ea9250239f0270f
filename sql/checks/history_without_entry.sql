-- A name that ended belongs to a file or folder that exists, be it in the trash.
select null::uuid as tenant_id, h.folder_id, h.entry_id, h.is_folder, h.until_ns, h.name
from tusk.path_history h
where not exists (select 1 from tusk.files f where f.id = h.entry_id and not h.is_folder)
  and not exists (select 1 from tusk.folders d where d.id = h.entry_id and h.is_folder)
