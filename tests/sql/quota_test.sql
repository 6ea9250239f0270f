-- Quotas of trees as SQL clients meet them, for pg_prove: a database with sql/migrations; run as a
-- superuser, whoever owns it.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
create extension if not exists pgtap;
set client_min_messages = warning;
set search_path = public;
select * from no_plan();
insert into tusk.tenants (name, root_id, policy) values ('full', tusk.uuid_v7(), '{"version_interval": 0}');
select tusk.set_tenant('full');

create function pg_temp.error_of(call text) returns text language plpgsql as $$
begin
  execute call;
  return 'fine';
exception when others then
  return sqlstate;
end
$$;
create function pg_temp.used() returns text language sql as $$
  select (u.files + u.folders - 1) || ' ' || u.bytes from tusk.check_usage('full') u
  where (u.files, u.folders, u.bytes) = (u.live_files, u.live_folders, u.live_bytes)
$$;

-- In order: each builds on what those before left.
select is(pg_temp.used(), '0 0', 'nothing is in it');
select tusk.set_quota('full', 1000, 5);
select is(pg_temp.error_of(c.call) || ', ' || pg_temp.used(), c.wanted, c.call)
from (values
  (1, 'select tusk.write_file(''/a'', repeat(''x'', 600)::bytea)', 'fine, 1 600'),
  (2, 'select tusk.write_file(''/b'', repeat(''x'', 401)::bytea)', '53400, 1 600'),
  (3, 'select tusk.write_file(''/b'', repeat(''x'', 400)::bytea)', 'fine, 2 1000'),
  (4, 'select tusk.append_file(''/b'', ''x'')', '53400, 2 1000'),
  (5, 'select tusk.write_file(''/b'', repeat(''y'', 400)::bytea)', 'fine, 2 1000'),
  (6, 'update tusk.files set data = repeat(''z'', 401)::bytea where filename = ''b''', '53400, 2 1000'),
  (7, 'update tusk.files set data = repeat(''z'', length(data))::bytea', 'fine, 2 1000'),
  (8, 'select tusk.write_file(''/empty'', '''')', 'fine, 3 1000'),
  (9, 'select tusk.copy(''/a'', ''/c'')', '53400, 3 1000'),
  (10, 'select tusk.make_folder(''/d/e'')', 'fine, 5 1000'),
  (11, 'select tusk.make_folder(''/f'')', '53400, 5 1000'),
  (12, 'insert into tusk.folders (parent_id, name) values (tusk.id_of(''/d''), ''f'')', '53400, 5 1000'),
  (13, 'insert into tusk.files (tenant_id, filename, data) values (tusk.current_tree(), ''x'', '''')', '53400, 5 1000'),
  (14, 'insert into tusk.file_links (file_id, folder_id, name) values (tusk.id_of(''/a''), tusk.id_of(''/''), ''l'')', 'fine, 5 1000'),
  (15, 'select tusk.move(''/a'', ''/d/a'')', 'fine, 5 1000'),
  (16, 'select tusk.set_quota(''full'', 10, 1)', 'fine, 5 1000'),
  (17, 'select tusk.write_file(''/b'', repeat(''y'', 399)::bytea)', 'fine, 5 999'),
  (18, 'select tusk.append_file(''/b'', ''x'')', '53400, 5 999'),
  (19, 'select tusk.delete(''/b'')', 'fine, 4 600'),
  (20, 'select tusk.delete(''/empty'')', 'fine, 3 600'),
  (21, 'select tusk.trash_restore(trash_id) from tusk.trash_list() where original_path = ''/b''', '53400, 3 600'),
  (22, 'select tusk.trash_restore(trash_id) from tusk.trash_list() where original_path = ''/empty''', '53400, 3 600'),
  (23, 'select tusk.set_quota(''full'', 999)', 'fine, 3 600'),
  (24, 'select tusk.trash_restore(trash_id) from tusk.trash_list() where original_path = ''/b''', 'fine, 4 999'),
  (25, 'select tusk.restore_version(''/b'', 1)', '53400, 4 999'),
  (26, 'select tusk.copy(''/d'', ''/dd'')', '53400, 4 999'),
  (27, 'select tusk.write_file(''/b'', ''1''), tusk.write_file(''/x'', ''12'')', 'fine, 5 603'),
  (28, 'select tusk.delete(''/d'', true, true), tusk.delete(''/x'', false, true), tusk.trash_purge()', 'fine, 2 601'),
  (29, 'select tusk.set_quota(''full'', -1)', '22023, 2 601'),
  (30, 'select tusk.set_quota(''no such tenant'')', '22023, 2 601'),
  (31, 'select tusk.set_quota(''full'', 0, 0)', 'fine, 2 601'),
  (32, 'select tusk.set_quota(''full'')', 'fine, 2 601'),
  (33, 'select tusk.write_file(''/b'', repeat(''y'', 70000)::bytea)', 'fine, 2 70600')) c (n, call, wanted)
order by c.n;
select tusk.set_quota('full', 70600);
select throws_like('select tusk.append_file(''/b'', ''x'')', 'the quota of tenant ''full'' is 70600 bytes: 70601 would be too many');

-- What was added many times counts no slower for it.
do $$
begin
  for i in 1 .. 200 loop
    perform tusk.write_file('/b', repeat('y', 70000 - i)::bytea);
    perform tusk.write_file('/b', repeat('y', 70000)::bytea);
  end loop;
end
$$;
select ok((select count(*) from tusk.usage_pending p where p.tenant_id = tusk.current_tree()) < 60, 'counts are folded');
select is(pg_temp.used(), '2 70600', 'and right');

-- A role of the tree is held to it, whatever it sets.
select tusk.make_roles(), tusk.grant_tenant('tusk_writer', 'full');
begin;
set local role tusk_writer;
set local tusk.driver = on;
select is(pg_temp.error_of('select tusk.append_file(''/b'', ''x'')'), '53400', 'a role');
select is(pg_temp.error_of('insert into tusk.files (tenant_id, folder_id, filename, data)
  select tusk.current_tree(), tusk.id_of(''/''), set_config(''tusk.driver'', ''on'', true), ''x'''), '53400',
  'which forges the setting of mounts');
rollback;

-- Counters that are wrong are found, and put right as a change of an SQL client's.
insert into tusk.usage_pending (tenant_id, files, folders, bytes) values (tusk.current_tree(), 3, 1, -7);
select is((u.files - u.live_files, u.folders - u.live_folders, u.bytes - u.live_bytes)::text, '(3,1,-7)', 'found')
from tusk.check_usage() u where u.tenant_name = 'full';
select is((u.files - u.live_files, u.folders - u.live_folders, u.bytes - u.live_bytes)::text, '(3,1,-7)', 'repaired')
from tusk.check_usage('full', true) u;
select is(pg_temp.used(), '2 70600', 'and gone');
select tusk.set_quota('full');
select * from finish();
