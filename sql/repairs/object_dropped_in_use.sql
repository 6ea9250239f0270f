-- keeps the object
update tusk.objects o
set state = 'stored', dropped_at = null
from pg_temp.finding x
where o.id = x.object_id
