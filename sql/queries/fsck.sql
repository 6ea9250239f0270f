-- name: begin_audit
begin isolation level repeatable read read only

-- name: begin_repair
begin isolation level repeatable read

-- name: audit_freely
-- fsck and backup, at the start of their transaction: whole tables are read, for as long as it takes.
select
  set_config('statement_timeout', '0', true),
  set_config('idle_in_transaction_session_timeout', '0', true),
  set_config('plan_cache_mode', 'auto', true),
  set_config('enable_seqscan', 'on', true),
  set_config('enable_hashjoin', 'on', true),
  set_config('enable_mergejoin', 'on', true),
  set_config('enable_bitmapscan', 'on', true)

-- name: all_tenants
select t.id, t.name
from tusk.tenants t
order by t.name

-- name: make_lost_found_tool
-- fsck --repair, once: repairs find or make the folder of what has lost its own; null: there is no tree.
create function pg_temp.lost_found(tree uuid)
returns uuid
language plpgsql
as $$
declare
  root uuid;
  found_id uuid;
  folder_name text := 'lost+found';
begin
  select d.id into root
  from tusk.tenants t
  join tusk.folders d on d.id = t.root_id
  where t.id = tree and d.deleted_at is null;
  if root is null then
    return null;
  end if;
  loop
    select d.id into found_id
    from tusk.folders d
    where d.parent_id = root and d.name = folder_name and d.deleted_at is null and d.id <> root;
    exit when found_id is not null;
    if not exists (
        select 1 from tusk.files f
        where f.folder_id = root and f.filename = folder_name and f.deleted_at is null)
      and not exists (
        select 1 from tusk.file_links l where l.folder_id = root and l.name = folder_name)
    then
      insert into tusk.folders (tenant_id, parent_id, name, mode)
      values (tree, root, folder_name, 16832)
      returning id into found_id;
      exit;
    end if;
    folder_name := folder_name || '+';
  end loop;
  return found_id;
end
$$

-- name: make_lost_name_tool
-- fsck --repair, once: a name that nothing else has, and at most 255 bytes of it.
create function pg_temp.lost_name(id uuid, name text)
returns text
language sql
immutable
as $$
  select id::text || '.' || right(name, 50)
$$

-- name: scrub_files
-- fsck --scrub: a page of inline contents of about 16 MB, at least one; of one tree, or of all when $2
-- is nil.
select p.id, p.version, p.checksum, f.data
from (
  select o.id, o.version, o.checksum, o.bytes,
    sum(o.bytes) over (order by o.id) as up_to
  from (
    select f.id, f.version, f.checksum, octet_length(f.data)::int8 as bytes
    from tusk.files f
    where f.id > $1::uuid
      and ($2::uuid = '00000000-0000-0000-0000-000000000000' or f.tenant_id = $2::uuid)
      and f.data is not null
      and f.checksum is not null
    order by f.id
    limit 1000) o) p
join tusk.files f on f.id = p.id
where p.up_to - p.bytes < 16000000
order by p.id

-- name: scrub_versions
-- fsck --scrub: the same of the contents that were overwritten.
select p.file_id, p.version, p.checksum, v.data
from (
  select o.file_id, o.version, o.checksum, o.bytes,
    sum(o.bytes) over (order by o.file_id, o.version) as up_to
  from (
    select v.file_id, v.version, v.checksum, octet_length(v.data)::int8 as bytes
    from tusk.file_versions v
    where (v.file_id, v.version) > ($1::uuid, $3::int8)
      and ($2::uuid = '00000000-0000-0000-0000-000000000000'
        or exists (select 1 from tusk.files f where f.id = v.file_id and f.tenant_id = $2::uuid))
      and v.data is not null
      and v.checksum is not null
    order by v.file_id, v.version
    limit 1000) o) p
join tusk.file_versions v on v.file_id = p.file_id and v.version = p.version
where p.up_to - p.bytes < 16000000
order by p.file_id, p.version

-- name: scrub_chunks
-- fsck --scrub: a page of chunks that have data of their own, at most 16 MB. A tree's are also those
-- that were moved aside because its files share them.
select c.file_id, c.version, c.checksum, c.data, c.chunk_no
from tusk.file_chunks c
where (c.file_id, c.chunk_no, c.version) > ($1::uuid, $4::int8, $3::int8)
  and c.data is not null
  and ($2::uuid = '00000000-0000-0000-0000-000000000000'
    or exists (select 1 from tusk.files f where f.id = c.file_id and f.tenant_id = $2::uuid)
    or exists (
      select 1
      from tusk.file_chunks r
      join tusk.files f on f.id = r.file_id
      where r.src_file_id = c.file_id
        and r.src_chunk_no = c.chunk_no
        and r.src_version = c.version
        and f.tenant_id = $2::uuid))
order by c.file_id, c.chunk_no, c.version
limit 250

-- name: export_snapshot
-- backup: what the dump and the counts of its manifest both see.
select pg_export_snapshot()

-- name: server_version
select current_setting('server_version')

-- name: sees_all_trees
-- backup: one row.
select not tusk.is_confined()

-- name: tree_counts
-- backup and its verification: a row for each tree. What is in the trash counts apart.
select
  t.name,
  (select count(*) from tusk.files f where f.tenant_id = t.id and f.deleted_at is null),
  (select count(*) from tusk.folders d where d.tenant_id = t.id and d.deleted_at is null),
  (select coalesce(sum(f.size_bytes), 0)::int8
   from tusk.files f
   where f.tenant_id = t.id and f.deleted_at is null),
  (select count(*)
   from tusk.files f
   where f.tenant_id = t.id and f.deleted_at is not null and f.deleted_by is not null),
  (select count(*)
   from tusk.file_versions v
   join tusk.files f on f.id = v.file_id
   where f.tenant_id = t.id)
from tusk.tenants t
order by t.name

-- name: record_checkup
-- fsck, at its end: tree (a repair may have removed it), scrubbed, errors left, contents missing. What is over a year old goes.
with noted as (
  insert into tusk.checkups (tenant_id, scrubbed, errors, missing)
  select t.id, $2::bool, $3::int8, $4::int8
  from tusk.tenants t
  where t.id = $1::uuid
)
delete from tusk.checkups k
where k.tenant_id = $1::uuid
  and k.finished_at < now() - interval '400 days'

-- name: record_backup
-- backup, at its end: where, bytes or -1, when it was begun, and why it failed or nothing.
select tusk.record_backup('tuskfs', $1::text, nullif($2::int8, -1), tusk.ns_to_timestamp($3::int8),
  clock_timestamp(), $4::text = '', jsonb_strip_nulls(jsonb_build_object('error', nullif($4::text, ''))))
