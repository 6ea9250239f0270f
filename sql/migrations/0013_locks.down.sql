create or replace function tusk.forget_mounts(tree uuid, epochs bigint[])
returns void
language plpgsql
as $$
begin
  delete from tusk.mount_sessions m where m.tenant_id = tree and m.epoch = any (epochs);
  delete from tusk.sustained s where s.tenant_id = tree and s.epoch = any (epochs);
end
$$;
drop function tusk.set_locks(uuid, bigint, uuid, boolean, bigint, bigint, bigint, boolean, boolean,
  bigint[], bigint[], boolean[], bigint[]);
drop function tusk.blocking_lock(uuid, bigint, uuid, boolean, bigint, bigint, boolean);
drop function tusk.other_locks(uuid, bigint);
drop function tusk.forget_void_locks(uuid);
drop table tusk.lock_waits;
drop table tusk.file_locks;
