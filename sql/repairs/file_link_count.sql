-- counts its names anew
update tusk.files f
set nlink = x.names
from pg_temp.finding x
where f.id = x.file_id
