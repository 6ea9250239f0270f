-- A name in a folder belongs to one live folder, file or further name.
select n.tenant_id, n.kind, n.id, n.folder_id, n.name
from (
  select o.*, row_number() over (partition by o.folder_id, o.name order by o.rank) as place
  from (
    select d.tenant_id, 'folder' as kind, 1 as rank, d.id, d.parent_id as folder_id, d.name
    from tusk.folders d
    where d.deleted_at is null and d.parent_id <> d.id
    union all
    select f.tenant_id, 'file', 2, f.id, f.folder_id, f.filename
    from tusk.files f
    where f.deleted_at is null
    union all
    select f.tenant_id, 'link', 3, l.file_id, l.folder_id, l.name
    from tusk.file_links l
    left join tusk.files f on f.id = l.file_id) o) n
where n.place > 1
