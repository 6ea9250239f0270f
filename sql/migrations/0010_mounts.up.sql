-- Several mounts share a tree. Each has a session of its own, with a row here and an advisory lock that
-- tells whether it lives. The delegation of the tree goes from hand to hand between them (see 0006); a
-- second lock, its presence, tells a mount whether it is the only one that looks at the tree just now.

create table tusk.mount_sessions (
  tenant_id uuid not null,
  epoch bigint not null,
  last_group bigint not null default 0,
  seen_xact bigint not null default 0,
  seen_at timestamptz not null default now(),
  gone_since timestamptz,
  since timestamptz not null default now(),
  backend_pid integer not null,
  watch_pid integer,
  pid bigint not null,
  host text not null,
  mountpoint text not null,
  primary key (tenant_id, epoch)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500
);
comment on table tusk.mount_sessions is
  'One row a mount: of those that are there, and for a day of those that are gone without having unmounted, as they may come back with what they could not commit. Updated by every transaction group.';
comment on column tusk.mount_sessions.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.mount_sessions.epoch is 'Number of the mount among those of its tree.';
comment on column tusk.mount_sessions.last_group is 'Number of its last transaction group that committed.';
comment on column tusk.mount_sessions.seen_xact is 'It knows all of tusk.changes by transactions before this one; later ones are kept for it.';
comment on column tusk.mount_sessions.seen_at is 'When it last said that it is at work, which it does while others wait for it.';
comment on column tusk.mount_sessions.gone_since is 'When another mount found it without a connection; null: it has one.';
comment on column tusk.mount_sessions.since is 'When it was mounted.';
comment on column tusk.mount_sessions.backend_pid is 'PostgreSQL backend that commits for it, and holds tusk.session_key and, at times, the delegation.';
comment on column tusk.mount_sessions.watch_pid is 'PostgreSQL backend that looks out for others, and holds the presence.';
comment on column tusk.mount_sessions.pid is 'Process, on host.';
comment on column tusk.mount_sessions.host is 'Machine that it is mounted on.';
comment on column tusk.mount_sessions.mountpoint is 'Where, as a path on host.';

create table tusk.sustained (
  file_id uuid not null,
  epoch bigint not null,
  tenant_id uuid not null,
  primary key (file_id, epoch)
);
comment on table tusk.sustained is
  'Files without a name that a mount has open: they stay readable there until it lets go of them.';
comment on column tusk.sustained.file_id is 'The file: tusk.files(id).';
comment on column tusk.sustained.epoch is 'The mount: tusk.mount_sessions(epoch).';
comment on column tusk.sustained.tenant_id is 'The tree: tusk.tenants(id).';

alter table tusk.mounts
  drop column last_group,
  drop column since,
  drop column pid,
  drop column backend_pid,
  drop column host,
  drop column mountpoint;
comment on table tusk.mounts is
  'One row a tree: its size, and how often it was mounted. Updated by every transaction group.';
comment on column tusk.mounts.epoch is 'Counts the mounts of the tree: tusk.mount_sessions.';

alter table tusk.staging add column epoch bigint not null default 0;
alter table tusk.staging alter column epoch drop default;
comment on column tusk.staging.epoch is 'The mount that stores them: tusk.mount_sessions(epoch).';
comment on table tusk.staging is
  'Versions whose chunks are being stored ahead of their publication. What a mount left here that will not come back, the next one removes.';

alter table tusk.changes
  add column epoch bigint,
  add column xact xid8 not null default pg_current_xact_id();
create index changes_xact on tusk.changes (xact);
comment on table tusk.changes is
  'What SQL clients changed and, where a tree has several mounts, what these changed, for the others'' memory: at least the last hour.';
comment on column tusk.changes.epoch is 'The mount that changed it: tusk.mount_sessions(epoch); null: an SQL client.';
comment on column tusk.changes.xact is 'The transaction that changed it: what is known when it has ended is known for good, whereas numbers are given before they are committed.';
comment on column tusk.objects.epoch is
  'The mount that wrote it: tusk.mount_sessions(epoch). What one that is gone left in the state writing is garbage.';

create function tusk.session_key(tenant_id uuid, epoch bigint)
returns bigint
language sql
immutable
strict
parallel safe
as $$
  select hashtextextended('tuskfs session ' || tenant_id::text || ' ' || epoch::text, 0)
$$;
comment on function tusk.session_key(uuid, bigint) is
  'Key of the advisory lock that a mount holds as long as its session lives.';

create function tusk.presence_key(tenant_id uuid)
returns bigint
language sql
immutable
strict
parallel safe
as $$
  select hashtextextended('tuskfs presence ' || tenant_id::text, 0)
$$;
comment on function tusk.presence_key(uuid) is
  'Key of the advisory lock that mounts share while they look at a tree, and that one which looks alone has for itself.';

create function tusk.is_alive(tenant_id uuid, epoch bigint)
returns boolean
language sql
stable
strict
as $$
  select exists (select 1 from tusk.sessions_at(tusk.session_key(tenant_id, epoch)) l where l.holds)
$$;
comment on function tusk.is_alive(uuid, bigint) is
  'Whether a mount of tusk.mount_sessions has its connection.';

create function tusk.forget_mounts(tree uuid, epochs bigint[])
returns void
language plpgsql
as $$
begin
  delete from tusk.mount_sessions m where m.tenant_id = tree and m.epoch = any (epochs);
  delete from tusk.sustained s where s.tenant_id = tree and s.epoch = any (epochs);
end
$$;
comment on function tusk.forget_mounts(uuid, bigint[]) is
  'Removes mounts that do not come back; should one try, it is refused.';

create function tusk.note_absent_mounts(tree uuid)
returns void
language plpgsql
as $$
declare
  ids bigint[];
begin
  update tusk.mount_sessions m
  set gone_since = now()
  where m.tenant_id = tree
    and m.gone_since is null
    and not tusk.is_alive(tree, m.epoch);
  select array_agg(m.epoch) into ids
  from tusk.mount_sessions m
  where m.tenant_id = tree
    and m.gone_since < now() - interval '1 day'
    and not tusk.is_alive(tree, m.epoch);
  if ids is not null then
    perform tusk.forget_mounts(tree, ids);
  end if;
end
$$;
comment on function tusk.note_absent_mounts(uuid) is
  'Notes which mounts have lost their connection, and forgets those that did a day ago.';

create or replace function tusk.begin_group(
  in tree uuid,
  in holder_epoch bigint,
  in group_no bigint,
  in is_durable boolean,
  in file_count bigint,
  in folder_count bigint,
  in byte_count bigint,
  out flushed bigint,
  out written bigint
)
returns record
language plpgsql
as $$
declare
  last bigint;
begin
  if not is_durable then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  update tusk.mount_sessions
  set last_group = group_no
  where tenant_id = tree
    and epoch = holder_epoch
    and last_group = group_no - 1;
  if found then
    update tusk.mounts
    set files = file_count, folders = folder_count, bytes = byte_count
    where tenant_id = tree
      and (files, folders, bytes) is distinct from (file_count, folder_count, byte_count);
    flushed := pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
    written := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
    return;
  end if;
  select m.last_group into last
  from tusk.mount_sessions m
  where m.tenant_id = tree
    and m.epoch = holder_epoch;
  if last is null then
    raise exception 'this mount was given up' using errcode = 'TF002';
  elsif last >= group_no then
    raise exception 'group % is committed', group_no using errcode = 'TF001';
  end if;
  raise exception 'group % cannot follow group %', group_no, last using errcode = 'TF003';
end
$$;
comment on function tusk.begin_group(uuid, bigint, bigint, boolean, bigint, bigint, bigint) is
  'First statement of a transaction group. Answers with log positions: what is safe on disk, and what the groups before it need to be. Errors: TF001 the group is committed already, TF002 the mount is not known any more, TF003 groups before it are missing.';

create or replace function tusk.purge_files(file_ids uuid[])
returns bigint
language plpgsql
as $$
declare
  purged bigint := 0;
  each uuid;
begin
  -- What a mount still has open stays until it lets go of it.
  select array_agg(i.id) into file_ids
  from unnest(file_ids) as i (id)
  where not exists (select 1 from tusk.sustained s where s.file_id = i.id);
  if file_ids is null then
    return 0;
  end if;
  begin
    perform tusk.delete_files(file_ids);
    return cardinality(file_ids);
  exception when foreign_key_violation then
    null;
  end;
  -- An application refers to some: these stay in the trash.
  foreach each in array file_ids loop
    begin
      perform tusk.delete_files(array[each]);
      purged := purged + 1;
    exception when foreign_key_violation then
      null;
    end;
  end loop;
  return purged;
end
$$;

create function tusk.purge_orphans(tree uuid, older_than interval)
returns bigint
language sql
as $$
  select tusk.purge_files(coalesce(array_agg(f.id), '{}'))
  from tusk.files f
  where f.tenant_id = tree
    and f.deleted_at <= now() - older_than
    and f.deleted_by is null
$$;
comment on function tusk.purge_orphans(uuid, interval) is
  'Removes files that lost their last name while mounts had them open, and that none has open any more; how many.';

create or replace function tusk.drop_objects(tree uuid, at timestamptz, grace interval)
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
          and not exists (
            select 1
            from tusk.mount_sessions m
            where m.tenant_id = tree
              and m.epoch = o.epoch))
    limit 1000;
end
$$;
