-- counts its subfolders anew
update tusk.folders d
set nlink = x.links
from pg_temp.finding x
where d.id = x.folder_id
