-- Checksums have 16 bytes.
select f.tenant_id, 'file' as kind, f.id, f.version, null::int8 as chunk_no,
  octet_length(f.checksum) as bytes
from tusk.files f
where octet_length(f.checksum) <> 16
union all
select f.tenant_id, 'version', v.file_id, v.version, null, octet_length(v.checksum)
from tusk.file_versions v
left join tusk.files f on f.id = v.file_id
where octet_length(v.checksum) <> 16
union all
select f.tenant_id, 'chunk', c.file_id, c.version, c.chunk_no, octet_length(c.checksum)
from tusk.file_chunks c
left join tusk.files f on f.id = c.file_id
where octet_length(c.checksum) <> 16
