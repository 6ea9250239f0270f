-- Nothing leaves the trash any more but by its retention; places of what was purged are shown there again.
drop function tusk.purge_trashed(uuid, uuid);
drop function tusk.restore_trashed(uuid, uuid, text, bigint);
drop function tusk.trashed_links(uuid[], uuid[], bigint);
drop function tusk.trashed_tree(uuid);

create or replace view tusk.trash as
select t.name as tenant, e.id, e.is_folder, tusk.past_path(e.id) as path, e.size_bytes,
  e.deleted_at, e.deleted_by
from (
  select f.tenant_id, f.id, false as is_folder, f.size_bytes, f.deleted_at, f.deleted_by
  from tusk.files f
  where f.deleted_at is not null
    and f.deleted_by is not null
  union all
  select d.tenant_id, d.id, true, 0, d.deleted_at, d.deleted_by
  from tusk.folders d
  where d.deleted_at is not null) e
join tusk.tenants t
  on t.id = e.tenant_id;

comment on column tusk.folders.deleted_by is 'Who put the folder in the trash (a uid); null while it is not there.';
