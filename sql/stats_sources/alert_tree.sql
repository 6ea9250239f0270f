-- What alerts of the trees are about: large files in the database, backups, what fsck found missing.
select 'large_file' as name, l.bytes as value, 'bytes' as unit, 'warning' as severity,
  104857600::float8 as threshold, false as calm,
  format('%s of %s is in the database%s: tuskfs storage move it external',
    coalesce(tusk.path(l.id), l.id::text), pg_size_pretty(l.bytes::int8),
    case when l.files > 1 then format(', and %s more above 100 MB', l.files - 1) end) as message
from (
  select f.id, f.size_bytes::float8 as bytes, count(*) over () as files
  from (select distinct c.file_id from tusk.file_chunks c where c.chunk_no = 1600) c
  join tusk.files f
    on f.id = c.file_id
  where f.storage_type = 'db'
    and f.size_bytes > 104857600
    and f.deleted_at is null
  order by f.size_bytes desc
  limit 1
) l
union all
-- Before the first backup: since there is something to be backed up.
select 'last_backup', b.hours, 'h',
  case when b.hours > 168 then 'critical' when b.hours > 24 then 'warning' end,
  case when b.hours > 168 then 168 else 24 end,
  b.hours < 21.6,
  case when b.at is null then 'there is no backup: tuskfs backup DIR'
    else format('the last good backup is of %s UTC: tuskfs backup DIR',
      to_char(b.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) end
from (
  select made.at,
    round(extract(epoch from now() - coalesce(made.at, trees.since))::numeric / 3600, 1)::float8 as hours
  from (select max(finished_at) as at from tusk.backups where ok) made,
    (select min(created_at) as since from tusk.tenants) trees
) b
where b.hours is not null
union all
select 'fsck_missing', sum(c.missing)::float8, 'contents',
  case when sum(c.missing) > 0 then 'critical' end, 1, sum(c.missing) = 0,
  format('%s contents are not there, says fsck: restore them from a backup', sum(c.missing))
from (
  select distinct on (k.tenant_id) k.missing
  from tusk.checkups k
  order by k.tenant_id, k.id desc
) c
having count(*) > 0
