-- Things leave the trash: back into the tree as what they were, or for good.

comment on column tusk.folders.deleted_by is
  'Who put the folder in the trash (a uid); null while it is not there, and with deleted_at when it was purged and stays only as the place of what was deleted before it.';

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
  where d.deleted_at is not null
    and d.deleted_by is not null) e
join tusk.tenants t
  on t.id = e.tenant_id;

create function tusk.trashed_tree(entry uuid)
returns table (id uuid, is_folder boolean, folder_id uuid, name text)
language sql
stable
as $$
  with recursive below as (
    select d.id, d.parent_id, d.name,
      tusk.ns_to_timestamp(tusk.deletion_began(d.id)) as began
    from tusk.folders d
    where d.id = entry
      and d.deleted_at is not null
      and d.deleted_by is not null
    union all
    select c.id, c.parent_id, c.name, tusk.ns_to_timestamp(tusk.deletion_began(c.id))
    from below b
    join tusk.folders c
      on c.parent_id = b.id
    where c.deleted_at is not null
      and c.deleted_by is not null
      and c.deleted_at >= b.began
      and not exists (
        select 1
        from tusk.folders o
        where o.parent_id = c.parent_id
          and o.name = c.name
          and o.deleted_at is not null
          and o.deleted_by is not null
          and (o.deleted_at, o.id) > (c.deleted_at, c.id))
      and not exists (
        select 1
        from tusk.files o
        where o.folder_id = c.parent_id
          and o.filename = c.name
          and o.deleted_at is not null
          and o.deleted_by is not null
          and (o.deleted_at, o.id) > (c.deleted_at, c.id))
  )
  select b.id, true, b.parent_id, b.name
  from below b
  union all
  select f.id, false, f.folder_id, f.filename
  from below b
  join tusk.files f
    on f.folder_id = b.id
  where f.deleted_at is not null
    and f.deleted_by is not null
    and f.deleted_at >= b.began
    and not exists (
      select 1
      from tusk.folders o
      where o.parent_id = f.folder_id
        and o.name = f.filename
        and o.deleted_at is not null
        and o.deleted_by is not null
        and (o.deleted_at, o.id) > (f.deleted_at, f.id))
    and not exists (
      select 1
      from tusk.files o
      where o.folder_id = f.folder_id
        and o.filename = f.filename
        and o.deleted_at is not null
        and o.deleted_by is not null
        and (o.deleted_at, o.id) > (f.deleted_at, f.id))
  union all
  select f.id, false, f.folder_id, f.filename
  from tusk.files f
  where f.id = entry
    and f.deleted_at is not null
    and f.deleted_by is not null
$$;
comment on function tusk.trashed_tree(uuid) is
  'Something in the trash with all that went with it. Where one name had several things, the last of them: the others stay in the trash by themselves.';

create function tusk.trashed_links(file_ids uuid[], folder_ids uuid[], since_ns bigint)
returns table (file_id uuid, folder_id uuid, name text)
language sql
stable
as $$
  with spells as (
    select f.id as file_id, f.folder_id, f.filename as name, f.named_at_ns as since_ns,
      null::bigint as until_ns
    from tusk.files f
    where f.id = any (file_ids)
      and exists (select 1 from tusk.path_history h where h.entry_id = f.id)
    union all
    select h.entry_id, h.folder_id, h.name, h.since_ns, h.until_ns
    from tusk.path_history h
    where h.entry_id = any (file_ids)
  ), names as (
    select s.file_id, s.folder_id, s.name, min(s.since_ns) as since_ns,
      max(s.until_ns) as until_ns, bool_or(s.until_ns is null) as is_row
    from spells s
    group by s.file_id, s.folder_id, s.name
  )
  select distinct on (n.folder_id, n.name) n.file_id, n.folder_id, n.name
  from names n
  where not n.is_row
    and n.folder_id = any (folder_ids)
    and n.until_ns >= trashed_links.since_ns
    -- A rename gives one name the end that another has as its beginning.
    and not exists (
      select 1
      from names o
      where o.file_id = n.file_id
        and o.since_ns = n.until_ns)
  order by n.folder_id, n.name, n.until_ns desc
$$;
comment on function tusk.trashed_links(uuid[], uuid[], bigint) is
  'The further names, in these folders of the trash, that these files of the trash lost one by one from a moment on (nanoseconds since 1970).';

create function tusk.restore_trashed(entry uuid, place uuid, new_name text, at_ns bigint)
returns void
language plpgsql
as $$
declare
  part uuid[];
  is_driver boolean := current_setting('tusk.driver', true) is not distinct from 'on';
  tree uuid := (select d.tenant_id from tusk.folders d where d.id = place and d.deleted_at is null);
  file_ids uuid[];
  folder_ids uuid[];
  link_files uuid[];
  link_folders uuid[];
  link_names text[];
  began_ns bigint := tusk.deletion_began(entry);
begin
  perform 1 from tusk.files f where f.id = entry for update;
  perform 1 from tusk.folders d where d.id = entry for update;
  select
    coalesce(array_agg(t.id) filter (where not t.is_folder), '{}'),
    coalesce(array_agg(t.id) filter (where t.is_folder), '{}')
  into file_ids, folder_ids
  from tusk.trashed_tree(entry) t;
  if tree is null or entry <> all (file_ids || folder_ids) then
    raise exception '% is not in the trash, or its new folder is not in the tree', entry
      using errcode = 'no_data_found';
  end if;

  if cardinality(folder_ids) > 0 then
    select array_agg(l.file_id), array_agg(l.folder_id), array_agg(l.name)
    into link_files, link_folders, link_names
    from tusk.trashed_links(file_ids, folder_ids, began_ns - 10000000000) l
    where not exists (
        select 1
        from tusk.files f
        where f.folder_id = l.folder_id
          and f.filename = l.name
          and f.id = any (file_ids))
      and not exists (
        select 1
        from tusk.folders d
        where d.parent_id = l.folder_id
          and d.name = l.name
          and d.id = any (folder_ids));
  end if;

  -- While it was in the trash it was not in the tree.
  insert into tusk.path_history (folder_id, entry_id, is_folder, since_ns, until_ns, name)
  select f.folder_id, f.id, false, f.named_at_ns, tusk.timestamp_to_ns(f.deleted_at), f.filename
  from tusk.files f
  where f.id = any (file_ids)
    and f.named_at_ns < tusk.timestamp_to_ns(f.deleted_at)
  union all
  select d.parent_id, d.id, true, d.named_at_ns, tusk.timestamp_to_ns(d.deleted_at), d.name
  from tusk.folders d
  where d.id = any (folder_ids)
    and d.named_at_ns < tusk.timestamp_to_ns(d.deleted_at)
  on conflict do nothing;

  -- The triggers of SQL clients want a folder to be there before what is in it: one after the other.
  for part in
    select case when is_driver then folder_ids else array[i.id] end
    from unnest(folder_ids) with ordinality as i (id, place)
    where not is_driver or i.place = 1
    order by i.place
  loop
    update tusk.folders d
    set
      deleted_at = null,
      deleted_by = null,
      named_at_ns = at_ns,
      nlink = 2 + (
        select count(*)
        from tusk.folders c
        where c.parent_id = d.id
          and c.id = any (folder_ids)),
      parent_id = case when d.id = entry then place else d.parent_id end,
      name = case when d.id = entry then new_name else d.name end
    where d.id = any (part);
  end loop;
  update tusk.files f
  set
    deleted_at = null,
    deleted_by = null,
    named_at_ns = at_ns,
    nlink = 1 + (
      select count(*)
      from unnest(link_files) as l(file_id)
      where l.file_id = f.id),
    folder_id = case when f.id = entry then place else f.folder_id end,
    filename = case when f.id = entry then new_name else f.filename end
  where f.id = any (file_ids);
  insert into tusk.file_links (file_id, folder_id, name, named_at_ns)
  select l.file_id, l.folder_id, l.name, at_ns
  from unnest(link_files, link_folders, link_names) as l(file_id, folder_id, name);

  -- Of other sessions the triggers count.
  if current_setting('tusk.driver', true) = 'on' then
    update tusk.mounts m
    set
      files = m.files + cardinality(file_ids),
      folders = m.folders + cardinality(folder_ids),
      bytes = m.bytes + (
        select coalesce(sum(f.size_bytes), 0)
        from tusk.files f
        where f.id = any (file_ids))
    where m.tenant_id = tree;
  end if;
end
$$;
comment on function tusk.restore_trashed(uuid, uuid, text, bigint) is
  'Takes something out of the trash, with all that went with it, their versions, attributes and further names, and gives it a place and a name (and the time of that, nanoseconds since 1970). Error P0002: it is not in the trash any more.';

create function tusk.purge_trashed(tree uuid, entry uuid)
returns text
language plpgsql
as $$
declare
  made_ns bigint;
  deleted_ns bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  select tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at)
  into made_ns, deleted_ns
  from tusk.files f
  where f.id = entry
    and f.tenant_id = tree
    and f.deleted_at is not null
    and f.deleted_by is not null
  for update;
  if found then
    if tusk.is_in_snapshot(tree, made_ns, deleted_ns) or tusk.purge_files(array[entry]) = 0 then
      return 'in use';
    end if;
    return 'purged';
  end if;

  select tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at)
  into made_ns, deleted_ns
  from tusk.folders d
  where d.id = entry
    and d.tenant_id = tree
    and d.deleted_at is not null
    and d.deleted_by is not null
  for update;
  if not found then
    return 'gone';
  elsif exists (select 1 from tusk.trashed_tree(entry) t where t.id <> entry) then
    return 'not empty';
  elsif tusk.is_in_snapshot(tree, made_ns, deleted_ns) then
    return 'in use';
  elsif exists (select 1 from tusk.files f where f.folder_id = entry)
    or exists (select 1 from tusk.folders c where c.parent_id = entry)
  then
    update tusk.folders set deleted_by = null where id = entry;
  else
    perform tusk.delete_folders(array[entry]);
  end if;
  return 'purged';
end
$$;
comment on function tusk.purge_trashed(uuid, uuid) is
  'Removes a file or an empty folder from the trash of a tree for good: purged; gone (it is not there); not empty; in use (a snapshot needs it, or rows of applications refer to it).';
