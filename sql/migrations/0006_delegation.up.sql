-- SQL clients write while a tree is mounted. A mount holds the delegation of its tree, an exclusive
-- advisory lock of its session; whoever else writes shares that lock until the end of the transaction,
-- and so waits until the mount has committed what it has and let go of it.

create table tusk.changes (
  id bigint generated always as identity primary key,
  entry_id uuid not null,
  changed_at timestamptz not null default now()
);
comment on table tusk.changes is
  'What SQL clients changed, for the mounts'' memory: at least the last hour. Mounts note their own changes nowhere.';
comment on column tusk.changes.id is 'Rises with time, but for transactions that overlap.';
comment on column tusk.changes.entry_id is 'A row of tusk.files or tusk.folders that is new, gone or not what it was.';
comment on column tusk.changes.changed_at is 'When the transaction began.';

create function tusk.delegation_key(tenant_id uuid)
returns bigint
language sql
immutable
strict
parallel safe
as $$
  select hashtextextended('tuskfs delegation ' || tenant_id::text, 0)
$$;
comment on function tusk.delegation_key(uuid) is
  'Key of the advisory lock that says who may write in a tree: its mount, or SQL clients together.';

create function tusk.sessions_at(lock_key bigint)
returns table (pid integer, holds boolean, is_exclusive boolean)
language sql
stable
strict
as $$
  select l.pid, l.granted, l.mode = 'ExclusiveLock'
  from pg_catalog.pg_locks l
  where l.locktype = 'advisory'
    and l.objsubid = 1
    and l.classid = ((lock_key >> 32) & 4294967295)::oid
    and l.objid = (lock_key & 4294967295)::oid
    and l.database = (
      select d.oid from pg_catalog.pg_database d where d.datname = current_database())
$$;
comment on function tusk.sessions_at(bigint) is
  'Who holds, or waits for, an advisory lock of this database: a key of tusk.tree_lock_key or tusk.delegation_key.';

-- Always before a row is locked: a mount that must write this row first would wait for it. As the owner,
-- so that writers need no right to see who mounts what.
create function tusk.enter_as_writer()
returns trigger
language plpgsql
security definer
set search_path = ''
set lock_timeout = '30s'
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(tusk.delegation_key(m.tenant_id))
  from (select tenant_id from tusk.mounts order by tenant_id) m;
  perform pg_catalog.pg_notify('tusk_changes', '');
  return null;
exception when lock_not_available then
  raise exception 'a mount of this database does not let others write'
    using errcode = 'lock_not_available',
      hint = 'its process may be stopped, or wait for a row that this transaction has locked: see tuskfs status';
end
$$;
comment on function tusk.enter_as_writer() is
  'Trigger: waits until mounts have committed what they have and let this transaction write.';

create function tusk.note_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  was uuid;
  is_now uuid;
begin
  if tg_argv[0] = 'id' then
    if tg_op <> 'INSERT' then was := old.id; end if;
    if tg_op <> 'DELETE' then is_now := new.id; end if;
  elsif tg_argv[0] = 'file_id' then
    if tg_op <> 'INSERT' then was := old.file_id; end if;
    if tg_op <> 'DELETE' then is_now := new.file_id; end if;
  else
    if tg_op <> 'INSERT' then was := old.owner_id; end if;
    if tg_op <> 'DELETE' then is_now := new.owner_id; end if;
  end if;
  insert into tusk.changes (entry_id)
  select changed.id
  from (select was as id union select is_now) changed
  where changed.id is not null;
  return null;
end
$$;
comment on function tusk.note_change() is
  'Trigger: notes for mounts which file or folder an SQL client changed, by the column named.';

do $$
declare
  each record;
begin
  for each in
    select *
    from (values
      ('folders', 'id'), ('files', 'id'), ('file_links', 'file_id'), ('file_chunks', 'file_id'),
      ('xattrs', 'owner_id')) t (name, entry)
  loop
    execute format(
      'create trigger enter_as_writer before insert or update or delete on tusk.%I
       for each statement when (current_setting(''tusk.driver'', true) is distinct from ''on'')
       execute function tusk.enter_as_writer()', each.name);
    execute format(
      'create trigger note_change after insert or update or delete on tusk.%I
       for each row when (current_setting(''tusk.driver'', true) is distinct from ''on'')
       execute function tusk.note_change(%L)', each.name, each.entry);
  end loop;
end
$$;
