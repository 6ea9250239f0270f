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
          and o.epoch < (select m.epoch from tusk.mounts m where m.tenant_id = tree))
    limit 1000;
end
$$;

create or replace function tusk.purge_files(file_ids uuid[])
returns bigint
language plpgsql
as $$
declare
  purged bigint := 0;
  each uuid;
begin
  if cardinality(file_ids) = 0 then
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
  held record;
begin
  if not is_durable then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  update tusk.mounts
  set last_group = group_no, files = file_count, folders = folder_count, bytes = byte_count
  where tenant_id = tree
    and epoch = holder_epoch
    and last_group = group_no - 1;
  if found then
    flushed := pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
    written := pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
    return;
  end if;
  select m.epoch, m.last_group into held from tusk.mounts m where m.tenant_id = tree;
  if held.epoch is distinct from holder_epoch then
    raise exception 'another mount has taken this tree' using errcode = 'TF002';
  elsif held.last_group >= group_no then
    raise exception 'group % is committed', group_no using errcode = 'TF001';
  end if;
  raise exception 'group % cannot follow group %', group_no, held.last_group using errcode = 'TF003';
end
$$;
comment on function tusk.begin_group(uuid, bigint, bigint, boolean, bigint, bigint, bigint) is
  'First statement of a transaction group. Answers with log positions: what is safe on disk, and what the groups before it need to be. Errors: TF001 the group is committed already, TF002 another mount took the tree, TF003 groups before it are missing.';

drop function tusk.purge_orphans(uuid, interval);
drop function tusk.note_absent_mounts(uuid);
drop function tusk.forget_mounts(uuid, bigint[]);
drop function tusk.is_alive(uuid, bigint);
drop function tusk.presence_key(uuid);
drop function tusk.session_key(uuid, bigint);

alter table tusk.changes drop column epoch, drop column xact;
comment on table tusk.changes is
  'What SQL clients changed, for the mounts'' memory: at least the last hour. Mounts note their own changes nowhere.';
comment on column tusk.objects.epoch is 'The mount that wrote it: tusk.mounts(epoch). What an earlier one left in the state writing is garbage.';
alter table tusk.staging drop column epoch;
comment on table tusk.staging is
  'Versions whose chunks are being stored ahead of their publication. What a mount that died left here, the next one removes.';

alter table tusk.mounts
  add column last_group bigint not null default 0,
  add column since timestamptz,
  add column pid integer,
  add column backend_pid integer,
  add column host text,
  add column mountpoint text;
update tusk.mounts m
set last_group = s.last_group
from tusk.mount_sessions s
where s.tenant_id = m.tenant_id
  and s.epoch = m.epoch;
comment on table tusk.mounts is
  'One row a tree: who mounted it last, the last transaction group of its writes, and its size. Updated by every group.';
comment on column tusk.mounts.epoch is 'Counts the mounts of the tree; a writer of an older epoch is refused.';
comment on column tusk.mounts.last_group is 'Number of the last transaction group that committed.';
comment on column tusk.mounts.since is 'When the last mount took the tree.';
comment on column tusk.mounts.pid is 'Process that mounted the tree, on host.';
comment on column tusk.mounts.backend_pid is 'PostgreSQL backend that holds the tree''s advisory lock (tusk.tree_lock_key) while it is mounted.';
comment on column tusk.mounts.host is 'Machine of the process that mounted the tree.';
comment on column tusk.mounts.mountpoint is 'Where the tree is mounted, as a path on host.';
drop table tusk.sustained;
drop table tusk.mount_sessions;
