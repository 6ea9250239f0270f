-- What a mount did that others did otherwise meanwhile: src/store/lost_found.h. Within the transaction
-- of a group, by a mount that was cut off. Whatever there is in a tree, it is found by key ("offset 0":
-- not by one scan for all of the group).

-- name: blocked_removals
-- Folders that the group removes, and all of its own files and folders: the folders that others put
-- something into.
select r.id
from unnest($1::uuid[]) as r (id)
where exists (
    select 1
    from tusk.folders d
    where d.parent_id = r.id
      and d.parent_id <> d.id
      and d.deleted_at is null
      and d.id <> all ($2::uuid[])
    offset 0)
  or exists (
    select 1
    from tusk.files f
    where f.folder_id = r.id
      and f.deleted_at is null
      and f.id <> all ($2::uuid[])
    offset 0)
  or exists (
    select 1
    from tusk.file_links l
    where l.folder_id = r.id
      and l.file_id <> all ($2::uuid[])
    offset 0)

-- name: find_conflicts
-- Entries of the group, with the folder and name each is to have (null: none); which entries others
-- have changed, which are the group's own, and which folders it brings. A row for each that cannot be:
-- its number, why, and its path.
select
  g.n,
  c.why,
  case
    when g.name is null then coalesce(tusk.past_path(g.id), '')
    else coalesce(tusk.past_path(g.folder_id), '') || '/' || g.name
  end
from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as g (id, folder_id, name, n)
cross join lateral (
  select
    case
      when g.id = any ($4::uuid[]) then 'was changed by others'
      when g.name is null then null
      when g.folder_id <> all ($6::uuid[])
        and not exists (
          select 1
          from tusk.folders d
          where d.id = g.folder_id
            and d.deleted_at is null
          offset 0)
        then 'was in a folder that others removed'
      when exists (
          select 1
          from tusk.folders d
          where d.parent_id = g.folder_id
            and d.name = g.name
            and d.parent_id <> d.id
            and d.deleted_at is null
            and d.id <> all ($5::uuid[])
          offset 0)
        or exists (
          select 1
          from tusk.files f
          where f.folder_id = g.folder_id
            and f.filename = g.name
            and f.deleted_at is null
            and f.id <> all ($5::uuid[])
          offset 0)
        or exists (
          select 1
          from tusk.file_links l
          where l.folder_id = g.folder_id
            and l.name = g.name
            and l.file_id <> all ($5::uuid[])
          offset 0)
        then 'has a name that others took'
      when exists (
          select 1
          from tusk.folders d
          where d.id = g.id
            and d.parent_id <> g.folder_id
          offset 0)
        and exists (
          with recursive up (id) as (
            select g.folder_id
            union
            select coalesce(m.folder_id, d.parent_id)
            from up u
            left join unnest($1::uuid[], $2::uuid[]) as m (id, folder_id)
              on m.id = u.id
              and m.id = any ($6::uuid[])
            left join tusk.folders d
              on d.id = u.id
          )
          select 1
          from up u
          where u.id = g.id)
        then 'was moved into what others moved into it'
    end as why) c
where c.why is not null
order by g.n

-- name: make_lost_found
-- The tree, an id, the user and group of the mount, the time: the folder lost+found in the root, which is
-- made when it is missing; one row with its id, its name and the root's id. One of another user is not
-- trusted with what others may not read.
with place as (
  select t.root_id, 'lost+found' || case when n = 0 then '' else '.' || n end as name, n
  from tusk.tenants t
  cross join generate_series(0, 99) as n
  where t.id = $1::uuid
), there as (
  select d.id, p.name, p.root_id, p.n
  from place p
  cross join lateral (
    select d.id
    from tusk.folders d
    where d.parent_id = p.root_id
      and d.name = p.name
      and d.parent_id <> d.id
      and d.deleted_at is null
      and d.uid = $3::int8
    offset 0) d
  order by p.n
  limit 1
), made as (
  insert into tusk.folders (
    id, tenant_id, parent_id, name, mode, uid, gid, nlink, atime_ns, mtime_ns, ctime_ns, named_at_ns)
  select $2::uuid, $1::uuid, p.root_id, p.name, 16832, $3::int8, $4::int8, 2, $5::int8, $5::int8,
    $5::int8, $5::int8
  from place p
  where not exists (select 1 from there)
    and not exists (
      select 1
      from tusk.folders d
      where d.parent_id = p.root_id
        and d.name = p.name
        and d.parent_id <> d.id
        and d.deleted_at is null
      offset 0)
    and not exists (
      select 1
      from tusk.files f
      where f.folder_id = p.root_id
        and f.filename = p.name
        and f.deleted_at is null
      offset 0)
    and not exists (
      select 1
      from tusk.file_links l
      where l.folder_id = p.root_id
        and l.name = p.name
      offset 0)
  order by p.n
  limit 1
  returning id, name, parent_id
)
select t.id, t.name, t.root_id from there t
union all
select m.id, m.name, m.parent_id from made m

-- name: copy_xattrs
-- Of a file to another.
insert into tusk.xattrs (owner_id, name, value)
select $2::uuid, x.name, x.value
from tusk.xattrs x
where x.owner_id = $1::uuid
on conflict do nothing

-- name: move_staged
-- What this mount stored ahead of a file becomes another one's, unless a version of others has the same
-- number. Where others wrote, these have set it aside (set_aside_staged).
with own as materialized (
  select s.file_id, s.version
  from tusk.staging s
  where s.epoch = $1::int8
    and (s.file_id = md5($2::uuid || ' ' || s.version || ' ' || s.epoch)::uuid
      or s.file_id = $2::uuid
        and not exists (
          select 1
          from tusk.files f
          where f.id = s.file_id
            and f.version >= s.version))
), led as (
  update tusk.staging s
  set file_id = $3::uuid
  from own o
  where s.file_id = o.file_id
    and s.version = o.version
)
update tusk.file_chunks c
set file_id = $3::uuid
from own o
where c.file_id = o.file_id
  and c.version = o.version

-- name: note_holes
-- Files whose chunks came from others' rows: what is nowhere any more is a hole.
with absent as (
  select f.id, n, n - row_number() over (partition by f.id order by n) as run
  from tusk.files f
  cross join lateral generate_series(0, (f.size_bytes + 65535) / 65536 - 1) as n
  where f.id = any ($1::uuid[])
    and f.data is null
    and f.storage_type = 'db'
    and not exists (
      select 1
      from tusk.file_chunks c
      where c.file_id = f.id
        and c.chunk_no = n
        and c.version between 0 and f.version
        and not c.retained)
), edges as (
  select r.id, e.edge
  from (select a.id, min(a.n) as first, max(a.n) + 1 as last from absent a group by a.id, a.run) r
  cross join lateral (values (r.first), (r.last)) e (edge)
)
update tusk.files f
set holes = h.holes
from (select e.id, array_agg(e.edge order by e.edge) as holes from edges e group by e.id) h
where f.id = h.id

-- name: count_links
-- Files and folders whose links the group had counted without what others did.
with folder_links as materialized (
  select i.id, 2 + c.links as links
  from unnest($1::uuid[]) as i (id)
  cross join lateral (
    select count(*) as links
    from tusk.folders c
    where c.parent_id = i.id
      and c.parent_id <> c.id
      and c.deleted_at is null) c
), file_links as materialized (
  select f.id, 1 + l.links as links
  from unnest($1::uuid[]) as i (id)
  cross join lateral (
    select e.id, e.deleted_at
    from tusk.files e
    where e.id = i.id
    offset 0) f
  cross join lateral (
    select count(*) as links
    from tusk.file_links l
    where l.file_id = f.id) l
  where f.deleted_at is null
), folders as (
  update tusk.folders d
  set nlink = s.links
  from folder_links s
  where d.id = s.id
    and d.nlink <> s.links
)
update tusk.files f
set nlink = s.links
from file_links s
where f.id = s.id
  and f.nlink <> s.links

-- name: drop_staged_chunks
-- What this mount stored ahead of these files, of versions that others have not reached.
select tusk.drop_chunks(
  array_agg(s.file_id),
  array_agg(0::int8),
  array_agg(9223372036854775807),
  array_agg(coalesce(f.version + 1, 0)),
  array_agg(9223372036854775807))
from tusk.staging s
left join tusk.files f
  on f.id = s.file_id
where s.epoch = $1::int8
  and s.file_id = any ($2::uuid[])
having count(*) > 0

-- name: drop_staged
delete from tusk.staging s
where s.epoch = $1::int8
  and s.file_id = any ($2::uuid[])
