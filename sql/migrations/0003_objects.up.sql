-- Large files outside the database: every object and how far it has got.

create table tusk.objects (
  id uuid primary key,
  tenant_id uuid not null,
  epoch bigint not null,
  size_bytes bigint,
  created_at timestamptz not null default now(),
  dropped_at timestamptz,
  state text not null default 'writing' check (state in ('writing', 'stored', 'dropped')),
  url text not null,
  sums bytea
);
alter table tusk.objects alter column sums set storage external;
create index objects_url on tusk.objects (url);
create index objects_unsettled
  on tusk.objects (tenant_id)
  where state <> 'stored';
comment on table tusk.objects is
  'Objects that hold the content of external files. A row is here before its object is written; the row of a file refers to it only once it is durable; an object nothing refers to goes after a grace time, and its row after it.';
comment on column tusk.objects.id is 'The last part of the url; never used twice.';
comment on column tusk.objects.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.objects.epoch is 'The mount that wrote it: tusk.mounts(epoch). What an earlier one left in the state writing is garbage.';
comment on column tusk.objects.size_bytes is 'Length of the content, once it is stored.';
comment on column tusk.objects.created_at is 'When its writing began.';
comment on column tusk.objects.dropped_at is 'Since when nothing refers to it.';
comment on column tusk.objects.state is 'writing: may be incomplete; stored: durable; dropped: nothing refers to it any more, to be removed.';
comment on column tusk.objects.url is 'As external_url of the files and versions that refer to it.';
comment on column tusk.objects.sums is 'XXH3-64 of each 65536 bytes (the last ones filled up with zeros), 8 bytes each, the highest first.';

create index files_external on tusk.files (external_url) where external_url is not null;
create index file_versions_external
  on tusk.file_versions (external_url)
  where external_url is not null;

alter table tusk.tenants add column objects_place text;
comment on column tusk.tenants.objects_place is
  'Where the tree''s objects are: how their urls begin. Null: it has none.';

create function tusk.begin_objects(tree uuid, epoch bigint, ids uuid[], urls text[])
returns void
language sql
as $$
  insert into tusk.objects (id, tenant_id, epoch, url)
  select g.id, tree, begin_objects.epoch, g.url
  from unnest(ids, urls) as g(id, url)
  on conflict (id) do nothing;
$$;
comment on function tusk.begin_objects(uuid, bigint, uuid[], text[]) is
  'Notes objects before they are written.';

create function tusk.is_referenced(object_url text)
returns boolean
language sql
stable
as $$
  select exists (select 1 from tusk.files f where f.external_url = object_url)
    or exists (select 1 from tusk.file_versions v where v.external_url = object_url)
$$;
comment on function tusk.is_referenced(text) is
  'Whether a file or a version has its content at a url.';

create function tusk.drop_objects(tree uuid, at timestamptz, grace interval)
returns table (id uuid)
language plpgsql
as $$
begin
  update tusk.objects o
  set state = 'dropped', dropped_at = at
  where o.tenant_id = tree
    and o.state = 'stored'
    and not tusk.is_referenced(o.url);
  -- What was dropped may have been taken up again meanwhile, as by a copy that shares it.
  update tusk.objects o
  set state = 'stored', dropped_at = null
  where o.tenant_id = tree
    and o.state = 'dropped'
    and tusk.is_referenced(o.url);
  return query
    select o.id
    from tusk.objects o
    where o.tenant_id = tree
      and o.state <> 'stored'
      and (o.dropped_at <= at - grace
        or o.state = 'writing'
          and o.epoch < (select m.epoch from tusk.mounts m where m.tenant_id = tree))
    limit 1000;
end
$$;
comment on function tusk.drop_objects(uuid, timestamptz, interval) is
  'Marks objects that nothing refers to, and answers which ones may be removed: those marked for longer than the grace time, and what mounts that died were writing.';

create function tusk.move_objects(tree uuid, to_place text)
returns void
language plpgsql
as $$
declare
  from_place text;
begin
  select t.objects_place into strict from_place from tusk.tenants t where t.id = tree;
  update tusk.tenants t set objects_place = to_place where t.id = tree;
  if from_place is null or from_place = to_place then
    return;
  end if;
  update tusk.file_versions v
  set external_url = to_place || substr(v.external_url, length(from_place) + 1)
  from tusk.files f
  where f.id = v.file_id
    and f.tenant_id = tree
    and starts_with(v.external_url, from_place || '/');
  update tusk.files f
  set external_url = to_place || substr(f.external_url, length(from_place) + 1)
  where f.tenant_id = tree
    and starts_with(f.external_url, from_place || '/');
  update tusk.objects o
  set url = to_place || substr(o.url, length(from_place) + 1)
  where o.tenant_id = tree
    and starts_with(o.url, from_place || '/');
end
$$;
comment on function tusk.move_objects(uuid, text) is
  'Notes that a tree''s objects are now at another place. The objects themselves must be there already.';
