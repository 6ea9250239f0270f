-- opens the circle: moves one of its folders into lost+found at the root of its tree
with recursive above as (
  select x.folder_id as start, x.parent_id as at
  from pg_temp.finding x
  union
  select a.start, x.parent_id
  from above a
  join pg_temp.finding x on x.folder_id = a.at
), circles as (
  select a.start
  from above a
  group by a.start
  having bool_or(a.at = a.start)
    and min(a.at::text) = a.start::text
)
update tusk.folders d
set parent_id = pg_temp.lost_found(d.tenant_id), name = pg_temp.lost_name(d.id, d.name)
from circles c
where d.id = c.start
  and pg_temp.lost_found(d.tenant_id) is not null
