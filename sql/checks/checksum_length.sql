-- Checksums have 16 bytes.
select 'file' as kind, f.id, octet_length(f.checksum) as bytes
from tusk.files f
where octet_length(f.checksum) <> 16
union all
select 'chunk', c.file_id, octet_length(c.checksum)
from tusk.file_chunks c
where octet_length(c.checksum) <> 16
