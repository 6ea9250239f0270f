-- A live file counts its names: the first and one for each row in tusk.file_links.
select f.tenant_id, f.id as file_id, f.filename, f.nlink, 1 + l.further as names
from tusk.files f
cross join lateral (select count(*) as further from tusk.file_links l where l.file_id = f.id) l
where f.deleted_at is null and f.nlink <> 1 + l.further
