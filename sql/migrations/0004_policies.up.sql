-- Policies of folders: a folder sets what holds for it and what is below it, key by key.

comment on column tusk.tenants.policy is
  'What the root of the tree sets: versions (how many a file; 0: none), version_age, version_interval and trash (seconds; trash 0: deleted at once), inline_below and external_above (bytes). Keys that are missing have the defaults. Folders override it by extended attributes user.tusk.policy.KEY, whose values are decimal digits.';

create index xattrs_policy
  on tusk.xattrs (owner_id)
  where name >= 'user.tusk.policy.' and name < 'user.tusk.policy/';

-- With a setting of its own it is not made part of load_folders, which so needs no attributes where a
-- folder has none.
create function tusk.folder_settings(folder uuid)
returns text
language sql
stable
set search_path = pg_catalog
as $$
  select string_agg(substring(x.name from 18) || '=' || encode(x.value, 'escape'), ' ')
  from tusk.xattrs x
  where x.owner_id = folder
    and x.name >= 'user.tusk.policy.'
    and x.name < 'user.tusk.policy/'
    and encode(x.value, 'escape') ~ '^[0-9]{1,15}$'
$$;
comment on function tusk.folder_settings(uuid) is
  'What a folder that is not a root sets of its policy, as KEY=NUMBER pairs with spaces between; null when nothing.';

create function tusk.folder_policies(tree uuid)
returns table (folder_id uuid, versions bigint, version_age_ns bigint, trash_ns bigint)
language sql
stable
as $$
  with recursive setting as materialized (
    select x.owner_id as folder_id, substring(x.name from 18) as key,
      case
        when encode(x.value, 'escape') ~ '^[0-9]{1,15}$'
          then least(encode(x.value, 'escape')::bigint, 100 * 366 * 86400::bigint)
      end as value
    from tusk.xattrs x
    join tusk.folders d
      on d.id = x.owner_id
    where x.name >= 'user.tusk.policy.'
      and x.name < 'user.tusk.policy/'
      and d.tenant_id = tree
      and d.parent_id <> d.id
  ), up as (
    select distinct s.folder_id, s.folder_id as ancestor, 0 as distance
    from setting s
    union all
    select u.folder_id, d.parent_id, u.distance + 1
    from up u
    join tusk.folders d
      on d.id = u.ancestor
      and d.parent_id <> d.id
    where u.distance < 10000
  ), nearest as (
    select distinct on (u.folder_id, s.key) u.folder_id, s.key, s.value
    from up u
    join setting s
      on s.folder_id = u.ancestor
    where s.value is not null
    order by u.folder_id, s.key, u.distance
  ), setter as materialized (
    select n.folder_id,
      max(n.value) filter (where n.key = 'versions') as versions,
      max(n.value) filter (where n.key = 'version_age') * 1000000000 as version_age_ns,
      max(n.value) filter (where n.key = 'trash') * 1000000000 as trash_ns
    from nearest n
    group by n.folder_id
  ), below as (
    select s.folder_id, s.folder_id as setter_id
    from setter s
    union all
    select d.id, b.setter_id
    from below b
    join tusk.folders d
      on d.parent_id = b.folder_id
      and d.parent_id <> d.id
    where not exists (select 1 from setter s where s.folder_id = d.id)
  )
  select b.folder_id, s.versions, s.version_age_ns, s.trash_ns
  from below b
  join setter s
    on s.folder_id = b.setter_id
$$;
comment on function tusk.folder_policies(uuid) is
  'What history keeps in the folders of a tree that lie in a folder, or are one, with a policy of its own; null where the tree''s holds. No row, at no cost, where only the root has one.';

create or replace function tusk.collect_garbage(
  in tree uuid,
  in at timestamptz default now(),
  in batch integer default 5000,
  out files bigint,
  out folders bigint,
  out versions bigint,
  out has_more boolean
)
returns record
language plpgsql
-- The sessions of mounts have none: here every file of a batch is matched with its folder's policy.
set enable_hashjoin = on
as $$
declare
  p record;
  at_ns bigint := tusk.timestamp_to_ns(at);
  ids uuid[];
  numbers bigint[];
begin
  select * into strict p from tusk.policy(tree);

  select array_agg(t.id) into ids
  from (
    select f.id
    from tusk.files f
    left join tusk.folder_policies(tree) e
      on e.folder_id = f.folder_id
    where f.tenant_id = tree
      and f.deleted_at is not null
      and f.deleted_by is not null
      and f.deleted_at <= tusk.ns_to_timestamp(at_ns - coalesce(e.trash_ns, p.trash_ns))
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
    limit batch
    for update of f skip locked) t;
  files := tusk.purge_files(coalesce(ids, '{}'));
  has_more := files > 0 and cardinality(ids) = batch;

  select array_agg(t.id) into ids
  from (
    select d.id
    from tusk.folders d
    left join tusk.folder_policies(tree) e
      on e.folder_id = d.id
    where d.tenant_id = tree
      and d.deleted_at <= tusk.ns_to_timestamp(at_ns - coalesce(e.trash_ns, p.trash_ns))
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at))
      -- Both halves of what a folder holds have an index; neither serves for the whole.
      and not exists (
        select 1 from tusk.files f where f.folder_id = d.id and f.deleted_at is null)
      and not exists (
        select 1 from tusk.files f where f.folder_id = d.id and f.deleted_at is not null)
      and not exists (
        select 1 from tusk.folders c
        where c.parent_id = d.id and c.parent_id <> c.id and c.deleted_at is null)
      and not exists (
        select 1 from tusk.folders c where c.parent_id = d.id and c.deleted_at is not null)
    limit batch
    for update of d skip locked) t;
  perform tusk.delete_folders(ids);
  folders := coalesce(cardinality(ids), 0);
  has_more := has_more or folders = batch;

  with old as (
    select v.file_id, v.version
    from tusk.file_versions v
    join tusk.files f
      on f.id = v.file_id
    left join tusk.folder_policies(tree) e
      on e.folder_id = f.folder_id
    where f.tenant_id = tree
      and (v.until_ns <= at_ns - coalesce(e.version_age_ns, p.version_age_ns)
        or coalesce(e.versions, p.versions) <= (
          select count(*)
          from (
            select 1
            from tusk.file_versions n
            where n.file_id = v.file_id
              and n.version > v.version
            limit coalesce(e.versions, p.versions)) newer))
      and not tusk.is_in_snapshot(tree, v.content_at_ns, v.until_ns)
    limit batch
  ), gone as (
    delete from tusk.file_versions v
    using old o
    where v.file_id = o.file_id
      and v.version = o.version
    returning v.file_id, v.version
  )
  select array_agg(distinct g.file_id), array_agg(g.version) into ids, numbers
  from gone g;
  perform tusk.sweep_chunks(coalesce(ids, '{}'));
  versions := coalesce(cardinality(numbers), 0);
  has_more := has_more or versions = batch;

  delete from tusk.path_history h
  using tusk.folders d
  left join tusk.folder_policies(tree) e
    on e.folder_id = d.id
  where d.id = h.folder_id
    and d.tenant_id = tree
    and h.until_ns <= at_ns - greatest(
      coalesce(e.version_age_ns, p.version_age_ns), coalesce(e.trash_ns, p.trash_ns))
    and not tusk.is_in_snapshot(tree, h.since_ns, h.until_ns);
end
$$;
comment on function tusk.collect_garbage(uuid, timestamptz, integer) is
  'Removes what history need not keep any longer as of a time, by the policy of the folder that each thing is in: at most batch files, folders and versions at once; again while has_more.';
