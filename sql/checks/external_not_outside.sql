-- External content has a url and nothing in the database; content in the database has no url.
select f.tenant_id, f.id as file_id, f.filename, f.storage_type, f.external_url
from tusk.files f
where (f.storage_type = 'external') <> (f.external_url is not null)
  or f.storage_type = 'external' and f.data is not null
  or f.storage_type not in ('db', 'external')
