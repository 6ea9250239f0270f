-- Folders' policies are without effect again; the attributes stay.
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
    where f.tenant_id = tree
      and f.deleted_at is not null
      and f.deleted_by is not null
      and f.deleted_at <= tusk.ns_to_timestamp(at_ns - p.trash_ns)
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
    limit batch
    for update skip locked) t;
  files := tusk.purge_files(coalesce(ids, '{}'));
  has_more := files > 0 and cardinality(ids) = batch;

  select array_agg(t.id) into ids
  from (
    select d.id
    from tusk.folders d
    where d.tenant_id = tree
      and d.deleted_at <= tusk.ns_to_timestamp(at_ns - p.trash_ns)
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at))
      and not exists (select 1 from tusk.files f where f.folder_id = d.id)
      and not exists (select 1 from tusk.folders c where c.parent_id = d.id)
    limit batch
    for update skip locked) t;
  perform tusk.delete_folders(ids);
  folders := coalesce(cardinality(ids), 0);
  has_more := has_more or folders = batch;

  with old as (
    select v.file_id, v.version
    from tusk.file_versions v
    join tusk.files f
      on f.id = v.file_id
    where f.tenant_id = tree
      and (v.until_ns <= at_ns - p.version_age_ns
        or p.versions <= (
          select count(*)
          from (
            select 1
            from tusk.file_versions n
            where n.file_id = v.file_id
              and n.version > v.version
            limit p.versions) newer))
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
  where h.until_ns <= at_ns - greatest(p.version_age_ns, p.trash_ns)
    and not tusk.is_in_snapshot(tree, h.since_ns, h.until_ns)
    and exists (
      select 1
      from tusk.folders d
      where d.id = h.folder_id
        and d.tenant_id = tree);
end
$$;
comment on function tusk.collect_garbage(uuid, timestamptz, integer) is
  'Removes what history need not keep any longer as of a time: at most batch files, folders and versions at once; again while has_more.';

drop function tusk.folder_policies(uuid);
drop function tusk.folder_settings(uuid);
drop index tusk.xattrs_policy;
comment on column tusk.tenants.policy is
  'What history keeps: versions (how many a file; 0: none), version_age, version_interval and trash (seconds; trash 0: deleted at once). Keys that are missing have the defaults of tusk.policy().';
