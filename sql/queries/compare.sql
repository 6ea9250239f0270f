-- What looks at whole trees for the command line: tuskfs diff, snapshot diff and du.

-- name: work_freely
-- Before what looks at a whole tree, on a connection of its own.
select set_config('enable_seqscan', 'on', false), set_config('enable_hashjoin', 'on', false),
  set_config('enable_mergejoin', 'on', false), set_config('enable_bitmapscan', 'on', false),
  set_config('plan_cache_mode', 'force_custom_plan', false),
  set_config('statement_timeout', '0', false)

-- name: tree_diff
-- Tree, the folder as it was at the first moment and at the second, the moments. One look at the rows
-- of the tree (not at contents) finds the names that held at only one of them and the contents that
-- changed; paths are made for these alone.
with recursive moments as (
  select true as first, $4::int8 as at_ns, $2::uuid as base
  union all
  select false, $5::int8, $3::uuid
), held as (
  select d.id, true as is_folder, d.parent_id as folder_id, d.name, d.named_at_ns as since_ns,
    coalesce(tusk.timestamp_to_ns(d.deleted_at), 9223372036854775807) as until_ns, false as edited
  from tusk.folders d
  where d.tenant_id = $1::uuid
    and d.parent_id <> d.id
    and (d.named_at_ns > $4::int8 or d.deleted_at is not null)
  union all
  select f.id, false, f.folder_id, f.filename, f.named_at_ns,
    coalesce(tusk.timestamp_to_ns(f.deleted_at), 9223372036854775807), f.content_at_ns > $4::int8
  from tusk.files f
  where f.tenant_id = $1::uuid
    and (f.named_at_ns > $4::int8 or f.deleted_at is not null or f.content_at_ns > $4::int8)
    and (f.deleted_at is null or f.deleted_by is not null)
  union all
  select l.file_id, false, l.folder_id, l.name, l.named_at_ns, 9223372036854775807,
    f.content_at_ns > $4::int8
  from tusk.file_links l
  join tusk.files f
    on f.id = l.file_id
  where f.tenant_id = $1::uuid
    and (l.named_at_ns > $4::int8 or f.content_at_ns > $4::int8)
  union all
  select h.entry_id, h.is_folder, h.folder_id, h.name, h.since_ns, h.until_ns,
    coalesce(f.content_at_ns > $4::int8, false)
  from tusk.path_history h
  left join tusk.files f
    on f.id = h.entry_id
  where h.until_ns > $4::int8
), names as materialized (
  select h.id, h.is_folder, h.folder_id, h.name, h.in_first, h.in_second
  from (
    select e.id, e.is_folder, e.folder_id, e.name, e.edited,
      e.since_ns <= $4::int8 and e.until_ns > $4::int8 as in_first,
      e.since_ns <= $5::int8 and e.until_ns > $5::int8 as in_second
    from held e) h
  where h.in_first <> h.in_second
    or (h.in_first and h.edited)
), up as (
  select distinct n.folder_id as start_id, not n.in_second as first, n.folder_id as at_id,
    '' collate "C" as path
  from names n
  union all
  select u.start_id, u.first, e.parent_id, ('/' || e.name || u.path) collate "C"
  from up u
  join moments m
    on m.first = u.first
    and m.base <> u.at_id
  cross join lateral (
    select d.parent_id, d.name
    from tusk.folders d
    where d.id = u.at_id
      and d.parent_id <> d.id
      and d.named_at_ns <= m.at_ns
      and (d.deleted_at is null or tusk.timestamp_to_ns(d.deleted_at) > m.at_ns)
    union all
    select h.folder_id, h.name
    from tusk.path_history h
    where h.entry_id = u.at_id
      and h.since_ns <= m.at_ns
      and h.until_ns > m.at_ns
    limit 1) e
), placed as materialized (
  select n.id, n.is_folder, n.in_first, n.in_second, u.path || '/' || n.name as path,
    case when n.in_first then a.version end as old_version, a.size_bytes as old_size,
    a.checksum as old_checksum, case when n.in_second then b.version end as new_version,
    b.size_bytes as new_size, b.checksum as new_checksum
  from names n
  join up u
    on u.start_id = n.folder_id
    and u.first = not n.in_second
  join moments m
    on m.first = u.first
    and m.base = u.at_id
  left join lateral (
    select c.version, c.size_bytes, c.checksum
    from (
      select f.version, f.size_bytes, f.checksum, f.content_at_ns
      from tusk.files f
      where f.id = n.id
      union all
      select v.version, v.size_bytes, v.checksum, v.content_at_ns
      from tusk.file_versions v
      where v.file_id = n.id) c
    order by c.content_at_ns <= $4::int8 desc, abs(c.content_at_ns - $4::int8)
    limit 1) a
    on not n.is_folder
  left join lateral (
    select c.version, c.size_bytes, c.checksum
    from (
      select f.version, f.size_bytes, f.checksum, f.content_at_ns
      from tusk.files f
      where f.id = n.id
      union all
      select v.version, v.size_bytes, v.checksum, v.content_at_ns
      from tusk.file_versions v
      where v.file_id = n.id) c
    order by c.content_at_ns <= $5::int8 desc, abs(c.content_at_ns - $5::int8)
    limit 1) b
    on not n.is_folder
), replaced as materialized (
  -- Another thing has the path now.
  select o.id as old_id, n.id as new_id, o.path, o.is_folder, o.old_size, n.new_size,
    (o.old_size = n.new_size and o.old_checksum = n.new_checksum) is true as same
  from placed o
  join placed n
    on n.path = o.path
    and n.is_folder = o.is_folder
    and n.in_second
    and not n.in_first
  where o.in_first
    and not o.in_second
), ended as (
  select o.id, o.is_folder, o.path, o.old_version, o.old_size, o.old_checksum,
    row_number() over (partition by o.id order by o.path) as nth
  from placed o
  where o.in_first
    and not o.in_second
    and not exists (select 1 from replaced r where r.old_id = o.id and r.path = o.path)
), began as (
  select n.id, n.is_folder, n.path, n.new_version, n.new_size, n.new_checksum,
    row_number() over (partition by n.id order by n.path) as nth
  from placed n
  where n.in_second
    and not n.in_first
    and not exists (select 1 from replaced r where r.new_id = n.id and r.path = n.path)
)
select 'changed' as what, r.is_folder, r.path, null::text as old_path, r.old_size, r.new_size,
  true as content
from replaced r
where not r.same
  and not r.is_folder
union all
select 'changed', false, p.path, null, p.old_size, p.new_size, true
from placed p
where p.in_first
  and p.in_second
  and p.old_version <> p.new_version
  and (p.old_size = p.new_size and p.old_checksum = p.new_checksum) is not true
union all
select
  case when e.id is null then 'added' when b.id is null then 'deleted' else 'renamed' end,
  coalesce(b.is_folder, e.is_folder), coalesce(b.path, e.path),
  case when b.id is not null then e.path end, e.old_size, b.new_size,
  (b.id is not null and e.id is not null and not b.is_folder and e.old_version <> b.new_version
    and (e.old_size = b.new_size and e.old_checksum = b.new_checksum) is not true)
from ended e
full join began b
  on b.id = e.id
  and b.nth = e.nth
order by 3, 1

-- name: disk_usage
-- What is at a file or folder ($2), and below it: a row each for the live files, their and the
-- trash's versions, the trash, and what of all these lies outside the database; how many, the bytes
-- of their contents, and the bytes of them that the database holds (what several share once, where it
-- was made first). Looks at every row below the folder, not at contents.
with recursive below as (
  select $1::uuid as id
  where $2::bool
  union all
  select d.id
  from below b
  join tusk.folders d
    on d.parent_id = b.id
    and d.parent_id <> d.id
), found as (
  select f.id
  from below b
  join tusk.files f
    on f.folder_id = b.id
  union
  select l.file_id
  from below b
  join tusk.file_links l
    on l.folder_id = b.id
  union
  select $1::uuid
  where not $2::bool
), counted as materialized (
  select f.id, f.deleted_at is not null as is_trash, f.size_bytes, f.version,
    f.storage_type <> 'db' as is_external, f.data is null as in_chunks,
    coalesce(octet_length(f.data), 0) as held
  from found n
  join tusk.files f
    on f.id = n.id
  where f.deleted_at is null
    or f.deleted_by is not null
), chunks as (
  select c.file_id, k.is_trash, coalesce(octet_length(c.data), 0) as held,
    k.in_chunks and not c.retained and c.version <= k.version
      and c.chunk_no * 65536 < k.size_bytes
      and lead(c.version) over (
        partition by c.file_id, c.chunk_no, c.retained order by c.version) is null as is_present
  from counted k
  join tusk.file_chunks c
    on c.file_id = k.id
), versions as materialized (
  select v.size_bytes, v.storage_type <> 'db' as is_external,
    coalesce(octet_length(v.data), 0) as held
  from counted k
  join tusk.file_versions v
    on v.file_id = k.id
)
select 'live', count(*), coalesce(sum(k.size_bytes), 0)::int8,
  (coalesce(sum(k.held), 0)
    + (select coalesce(sum(c.held), 0) from chunks c where c.is_present and not c.is_trash))::int8
from counted k
where not k.is_trash
union all
select 'versions', count(*), coalesce(sum(v.size_bytes), 0)::int8,
  (coalesce(sum(v.held), 0)
    + (select coalesce(sum(c.held), 0) from chunks c where not c.is_present))::int8
from versions v
union all
select 'trash', count(*), coalesce(sum(k.size_bytes), 0)::int8,
  (coalesce(sum(k.held), 0)
    + (select coalesce(sum(c.held), 0) from chunks c where c.is_present and c.is_trash))::int8
from counted k
where k.is_trash
union all
select 'external', count(*), coalesce(sum(e.size_bytes), 0)::int8, 0::int8
from (
  select k.size_bytes
  from counted k
  where k.is_external
  union all
  select v.size_bytes
  from versions v
  where v.is_external) e
