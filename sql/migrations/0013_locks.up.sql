-- Locks of files (flock, fcntl) where a tree has several mounts. Each mount decides between its own
-- programs; here mounts agree with each other. A mount's locks count while its session lives, and for a
-- moment after: it may have lost its connection only.

create unlogged table tusk.file_locks (
  tenant_id uuid not null,
  file_id uuid not null,
  epoch bigint not null,
  is_range boolean not null,
  owner bigint not null,
  first bigint not null,
  last bigint not null,
  is_exclusive boolean not null,
  pid bigint not null,
  primary key (file_id, epoch, is_range, owner, first)
);
comment on table tusk.file_locks is
  'What programs have locked by flock(2) or fcntl(2) in mounts that are not alone with their tree.';
comment on column tusk.file_locks.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.file_locks.file_id is 'The file or folder: tusk.files(id), tusk.folders(id).';
comment on column tusk.file_locks.epoch is 'The mount: tusk.mount_sessions(epoch).';
comment on column tusk.file_locks.is_range is 'By fcntl(2), a range of bytes; else by flock(2), the whole file. The two do not know of each other.';
comment on column tusk.file_locks.owner is 'Who in that mount, as its kernel numbers them.';
comment on column tusk.file_locks.first is 'First byte of the range.';
comment on column tusk.file_locks.last is 'Last byte of the range; the greatest number there is: to the end, however it grows.';
comment on column tusk.file_locks.is_exclusive is 'Nobody else may have any lock there; else, nobody else an exclusive one.';
comment on column tusk.file_locks.pid is 'Process that locked it, on the mount''s host.';

create unlogged table tusk.lock_waits (
  tenant_id uuid not null,
  file_id uuid not null,
  epoch bigint not null,
  primary key (file_id, epoch)
);
comment on table tusk.lock_waits is
  'Mounts to be called once a lock of a file is let go of.';
comment on column tusk.lock_waits.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.lock_waits.file_id is 'The file or folder that is locked.';
comment on column tusk.lock_waits.epoch is 'The mount that waits: tusk.mount_sessions(epoch).';

create function tusk.forget_void_locks(tree uuid)
returns void
language plpgsql
as $$
begin
  perform tusk.note_absent_mounts(tree);
  delete from tusk.file_locks l
  where l.tenant_id = tree
    and not tusk.is_alive(tree, l.epoch)
    and not exists (
      select 1
      from tusk.mount_sessions m
      where m.tenant_id = tree
        and m.epoch = l.epoch
        and m.gone_since > clock_timestamp() - interval '3 seconds');
end
$$;
comment on function tusk.forget_void_locks(uuid) is
  'Removes the locks of mounts that have been without a connection for more than a moment.';

create function tusk.other_locks(tree uuid, asker bigint)
returns boolean
language plpgsql
as $$
begin
  if not exists (select 1 from tusk.file_locks l where l.tenant_id = tree and l.epoch <> asker) then
    return false;
  end if;
  perform tusk.forget_void_locks(tree);
  return exists (select 1 from tusk.file_locks l where l.tenant_id = tree and l.epoch <> asker);
end
$$;
comment on function tusk.other_locks(uuid, bigint) is
  'Whether other mounts than the one that asks have locks.';

create function tusk.blocking_lock(
  tree uuid,
  asker bigint,
  file uuid,
  ranged boolean,
  wanted_first bigint,
  wanted_last bigint,
  wants_exclusive boolean
)
returns setof tusk.file_locks
language plpgsql
as $$
declare
  found_lock tusk.file_locks;
begin
  for attempt in 1..2 loop
    select l.* into found_lock
    from tusk.file_locks l
    where l.file_id = file
      and l.epoch <> asker
      and l.is_range = ranged
      and l.first <= wanted_last
      and l.last >= wanted_first
      and (l.is_exclusive or wants_exclusive)
    order by l.first
    limit 1;
    if not found then
      return;
    end if;
    exit when attempt = 2 or tusk.is_alive(tree, found_lock.epoch);
    perform tusk.forget_void_locks(tree);
  end loop;
  return next found_lock;
end
$$;
comment on function tusk.blocking_lock(uuid, bigint, uuid, boolean, bigint, bigint, boolean) is
  'A lock of another mount that keeps one from being given: no row or one.';

create function tusk.set_locks(
  tree uuid,
  holder bigint,
  file uuid,
  ranged boolean,
  held_by bigint,
  wanted_first bigint,
  wanted_last bigint,
  wants_exclusive boolean,
  is_waiting boolean,
  firsts bigint[],
  lasts bigint[],
  exclusives boolean[],
  pids bigint[]
)
returns boolean
language plpgsql
as $$
declare
  had_any boolean;
begin
  perform set_config('synchronous_commit', 'off', true);
  -- One at a time: who is refused is noted as waiting before the lock can be let go of.
  perform pg_advisory_xact_lock(hashtextextended('tuskfs lock ' || file::text, 0));
  if wants_exclusive is not null and exists (
    select 1
    from tusk.blocking_lock(tree, holder, file, ranged, wanted_first, wanted_last, wants_exclusive))
  then
    if is_waiting then
      insert into tusk.lock_waits (tenant_id, file_id, epoch)
      values (tree, file, holder)
      on conflict do nothing;
    end if;
    return false;
  end if;
  delete from tusk.file_locks l
  where l.file_id = file
    and l.epoch = holder
    and l.is_range = ranged
    and l.owner = held_by;
  had_any := found;
  insert into tusk.file_locks (tenant_id, file_id, epoch, is_range, owner, first, last, is_exclusive, pid)
  select tree, file, holder, ranged, held_by, h.first, h.last, h.is_exclusive, h.pid
  from unnest(firsts, lasts, exclusives, pids) as h (first, last, is_exclusive, pid);
  if had_any then
    delete from tusk.lock_waits w where w.file_id = file and w.epoch <> holder;
    if found then
      perform pg_notify('tusk_locks', file::text);
    end if;
  end if;
  return true;
end
$$;
comment on function
  tusk.set_locks(uuid, bigint, uuid, boolean, bigint, bigint, bigint, boolean, boolean, bigint[],
    bigint[], boolean[], bigint[]) is
  'Makes the given ranges all that an owner in a mount has of a file, unless another mount''s lock is in the way of the wanted one (wants_exclusive null: nothing is wanted that was not had): then false, and a mount that waits is called by NOTIFY tusk_locks, with the file''s id.';

create or replace function tusk.forget_mounts(tree uuid, epochs bigint[])
returns void
language plpgsql
as $$
begin
  delete from tusk.mount_sessions m where m.tenant_id = tree and m.epoch = any (epochs);
  delete from tusk.sustained s where s.tenant_id = tree and s.epoch = any (epochs);
  delete from tusk.lock_waits w where w.tenant_id = tree and w.epoch = any (epochs);
  delete from tusk.file_locks l where l.tenant_id = tree and l.epoch = any (epochs);
  if found then
    perform pg_notify('tusk_locks', '');
  end if;
end
$$;

do $$
declare
  each text;
begin
  foreach each in array array['file_locks', 'lock_waits'] loop
    execute format('alter table tusk.%I enable row level security, force row level security', each);
    execute format(
      'create policy one_tree on tusk.%I
       using ((select has_table_privilege(''tusk.mounts''::regclass, ''update''))
         or tenant_id = (select tusk.current_tree()))', each);
  end loop;
end
$$;

revoke all on tusk.file_locks, tusk.lock_waits from public;
revoke execute on function
  tusk.forget_void_locks(uuid),
  tusk.other_locks(uuid, bigint),
  tusk.blocking_lock(uuid, bigint, uuid, boolean, bigint, bigint, boolean),
  tusk.set_locks(uuid, bigint, uuid, boolean, bigint, bigint, bigint, boolean, boolean, bigint[],
    bigint[], boolean[], bigint[])
  from public;

-- Where the roles are made already (see tusk.make_roles).
do $$
begin
  if exists (select from pg_catalog.pg_roles r where r.rolname = 'tusk_admin')
    and has_schema_privilege('tusk_admin', 'tusk', 'usage')
  then
    grant select on tusk.file_locks, tusk.lock_waits to tusk_admin;
  end if;
end
$$;
