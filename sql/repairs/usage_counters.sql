-- counts the tree anew
update tusk.mounts m
set files = x.live_files, folders = x.live_folders, bytes = x.live_bytes
from pg_temp.finding x
where m.tenant_id = x.tenant_id;

delete from tusk.usage_pending p
using pg_temp.finding x
where p.tenant_id = x.tenant_id
