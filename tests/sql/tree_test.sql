-- SQL clients as writers, for pg_prove: a database with sql/migrations and one empty tree. What this
-- leaves is committed, so that run.sh can hold all of sql/checks against it.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
create extension if not exists pgtap;
set client_min_messages = warning;
set search_path = public;
select * from no_plan();
update tusk.tenants set policy = '{"version_interval": 0}';

create function pg_temp.text_of(path text) returns text language sql as $$
  select convert_from(tusk.read_file(path), 'UTF8')
$$;
create function pg_temp.error_of(call text) returns text language plpgsql as $$
begin
  execute call;
  return 'fine';
exception when others then
  return sqlstate;
end
$$;
create function pg_temp.tree() returns text language sql as $$
  select coalesce(string_agg(tusk.path(e.id) || e.what, ' ' order by tusk.path(e.id)), '')
  from (
    select d.id, '/' as what from tusk.folders d where d.deleted_at is null and d.parent_id <> d.id
    union all
    select f.id, '=' || convert_from(tusk.content(f.id), 'UTF8')
    from tusk.files f where f.deleted_at is null) e
$$;
create function pg_temp.trash() returns text language sql as $$
  select coalesce(string_agg(t.original_path || ' ' || t.kind, ', ' order by t.original_path, t.kind), '')
  from tusk.trash_list() t
$$;

-- A tree that was never mounted has no root yet: the first row makes it.
insert into tusk.files (tenant_id, filename, data) select id, 'first', '' from tusk.tenants;
select is(pg_temp.tree(), '/first=', 'the first row');
select tusk.delete('/first', skip_trash => true);

-- Files by path.
select isnt(tusk.write_file('/a/b/c.txt', 'one', 'text/plain', 384, true), null, 'a new file');
select is(pg_temp.tree(), '/a/ /a/b/ /a/b/c.txt=one', 'with its folders');
select is(tusk.write_file('a//b/./c.txt', 'two'), tusk.id_of('/a/b/c.txt'), 'the same file, written again');
select is((s.kind, s.mode, s.nlink, s.size_bytes, s.storage_type, s.mime_type, s.version, s.checksum)::text,
  '(file,33152,1,3,db,text/plain,2,)', 'stat of a file') from tusk.stat('/a/b/c.txt') s;
select is((s.kind, s.mode, s.nlink, s.size_bytes, s.storage_type)::text, '(folder,16877,3,0,)',
  'stat of the root') from tusk.stat('/') s;
select is((select count(*) from tusk.versions('/a/b/c.txt')), 2::bigint, 'both contents are there');
select tusk.write_file('/a/b/c.txt', 'two');
select is((select count(*) from tusk.versions('/a/b/c.txt')), 2::bigint, 'the same again is no new version');
select is(tusk.append_file('/a/b/c.txt', '+'), 4::bigint, 'append');
select is(tusk.append_file('/a/log', 'x'), 1::bigint, 'append to nothing makes it');
select is(pg_temp.text_of('/a/b/c.txt'), 'two+', 'is at the end');
select is(tusk.read_file('/a/b/c.txt', 1, 2), 'wo', 'a part');
select is(tusk.read_file('/a/b/c.txt', 3, 100), '+', 'a part beyond the end');
select is(tusk.read_file('/a/b/c.txt', 4), '', 'at the end');
select is(tusk.read_version('/a/b/c.txt', 1), 'one', 'a version');
select is(tusk.restore_version('/a/b/c.txt', 1), 4::bigint, 'restored as a new version');
select is(pg_temp.text_of('/a/b/c.txt'), 'one', 'is the content');
select is(tusk.read_version('/a/b/c.txt', 3), 'two+', 'and the former one is a version');
select isnt(tusk.write_file('/empty', ''), null, 'an empty file');
select is(tusk.write_file('/empty', null), tusk.id_of('empty'), 'null is nothing');
select is(tusk.path_of(tusk.id_of('/a/b')), '/a/b', 'path_of');
select is(array(select l.name || ' ' || l.kind from tusk.list_folder('/a') l), '{b folder,log file}', 'list_folder');
select is(array(select l.name from tusk.list_folder('/a', 'b') l), '{log}', 'its next page');
select is(array(select l.name from tusk.list_folder('/a', null, 1) l), '{b}', 'of one row');
select is(tusk.make_folder('/a/b'), tusk.id_of('/a/b'), 'make_folder as mkdir -p');

-- Errors, each by its SQLSTATE.
select is(pg_temp.error_of(c.call), c.wanted, c.call)
from (values
  ('select tusk.id_of(''/no'')', '58P01'),
  ('select tusk.id_of(null)', '58P01'),
  ('select tusk.id_of(''/empty/x'')', '58P01'),
  ('select tusk.read_file(''/no'')', '58P01'),
  ('select tusk.read_file(''/a'')', '22023'),
  ('select tusk.read_file(''/empty'', -1)', '22023'),
  ('select tusk.stat(''/no'')', '58P01'),
  ('select tusk.list_folder(''/empty'')', '22023'),
  ('select tusk.write_file(''/no/x'', '''')', '58P01'),
  ('select tusk.write_file(''/a'', '''')', '22023'),
  ('select tusk.write_file(''/'', '''')', '22023'),
  ('select tusk.write_file(''/..'', '''')', '23514'),
  ('select tusk.write_file(repeat(''x'', 256), '''')', '23514'),
  ('select tusk.write_file(''/huge'', decode(repeat(''00'', 268435457), ''hex''))', '54000'),
  ('select tusk.append_file(''/a'', '''')', '22023'),
  ('select tusk.make_folder(''/a/b'', 493, false)', '42710'),
  ('select tusk.make_folder(''/empty/x'')', '42710'),
  ('select tusk.make_folder(''/q/r'', 493, false)', '58P01'),
  ('select tusk.move(''/no'', ''/x'')', '58P01'),
  ('select tusk.move(''/a'', ''/a/b/x'')', '22023'),
  ('select tusk.move(''/a'', ''/no/x'')', '58P01'),
  ('select tusk.move(''/a/log'', ''/empty'')', '42710'),
  ('select tusk.move(''/a/log'', ''/a/b'', true)', '22023'),
  ('select tusk.move(''/empty'', ''/a'', true)', '22023'),
  ('select tusk.copy(''/a'', ''/a/b/x'')', '22023'),
  ('select tusk.copy(''/a'', ''/a'')', '22023'),
  ('select tusk.copy(''/a/log'', ''/empty'')', '42710'),
  ('select tusk.delete(''/no'')', '58P01'),
  ('select tusk.delete(''/a'')', '2BP01'),
  ('select tusk.delete(''/'')', '22023'),
  ('select tusk.read_version(''/empty'', 77)', '42704'),
  ('select tusk.restore_version(''/empty'', 77)', '42704'),
  ('select tusk.trash_restore(tusk.uuid_v7())', '42704'),
  ('select tusk.set_retention(''/empty'', ''1 day'')', '22023'),
  ('select tusk.set_retention(''/'', ''-1 day'')', '22023'),
  ('select tusk.set_tenant(''nobody'')', '22023'),
  ('select tusk.set_tenant(tusk.uuid_v7())', '22023'),
  ('insert into tusk.files (tenant_id, filename, data) select id, ''a'', '''' from tusk.tenants', '23505'),
  ('insert into tusk.files (tenant_id, filename, data) select id, ''a/b'', '''' from tusk.tenants', '23514'),
  ('insert into tusk.files (tenant_id, filename, data) values (tusk.uuid_v7(), ''x'', '''')', '23503'),
  ('insert into tusk.folders (parent_id, name) values (tusk.uuid_v7(), ''x'')', '23503'),
  ('insert into tusk.folders (parent_id, name) values (tusk.id_of(''/''), ''empty'')', '23505'),
  ('insert into tusk.folders (parent_id, name) values (tusk.id_of(''/''), ''.'')', '23514'),
  ('insert into tusk.folders (id, parent_id, name, tenant_id) select i, i, ''x'', tusk.current_tree() from tusk.uuid_v7() i', '23514'),
  ('insert into tusk.file_links (file_id, folder_id, name) values (tusk.id_of(''/empty''), tusk.id_of(''/''), ''a'')', '23505'),
  ('insert into tusk.file_links (file_id, folder_id, name) values (tusk.id_of(''/empty''), tusk.id_of(''/''), ''empty'')', '23505'),
  ('insert into tusk.file_links (file_id, folder_id, name) values (tusk.uuid_v7(), tusk.id_of(''/''), ''x'')', '23503'),
  ('update tusk.files set filename = ''a'' where id = tusk.id_of(''/empty'')', '23505'),
  ('update tusk.files set filename = ''x/y'' where id = tusk.id_of(''/empty'')', '23514'),
  ('update tusk.files set folder_id = tusk.uuid_v7() where id = tusk.id_of(''/empty'')', '23503'),
  ('update tusk.files set id = tusk.uuid_v7() where id = tusk.id_of(''/empty'')', '0A000'),
  ('update tusk.files set tenant_id = tusk.uuid_v7() where id = tusk.id_of(''/empty'')', '0A000'),
  ('update tusk.files set size_bytes = 7 where id = tusk.id_of(''/empty'')', '22023'),
  ('update tusk.files set mode = 16877 where id = tusk.id_of(''/empty'')', '23514'),
  ('update tusk.files set mode = -1 where id = tusk.id_of(''/empty'')', '23514'),
  ('update tusk.files set uid = 4294967295 where id = tusk.id_of(''/empty'')', '23514'),
  ('update tusk.folders set mode = 493 where id = tusk.id_of(''/a'')', '23514'),
  ('insert into tusk.folders (parent_id, name, gid) values (tusk.id_of(''/''), ''x'', -1)', '23514'),
  ('update tusk.folders set parent_id = tusk.id_of(''/a/b'') where id = tusk.id_of(''/a'')', '22023'),
  ('update tusk.folders set parent_id = id where id = tusk.id_of(''/a'')', '22023'),
  ('update tusk.folders set name = ''empty'' where id = tusk.id_of(''/a'')', '23505'),
  ('update tusk.folders set deleted_at = now() where id = tusk.id_of(''/a'')', '2BP01'),
  ('update tusk.folders set name = ''x'' where id = tusk.id_of(''/'')', '22023'),
  ('delete from tusk.folders where id = tusk.id_of(''/a'')', '2BP01'),
  ('delete from tusk.folders where id = tusk.id_of(''/'')', '22023')) c (call, wanted);
select is(pg_temp.tree(), '/a/ /a/b/ /a/b/c.txt=one /a/log=x /empty=', 'and nothing has changed');

-- Moves and copies.
select tusk.move('/a/log', '/empty', true);
select is(pg_temp.tree(), '/a/ /a/b/ /a/b/c.txt=one /empty=x', 'move over a file');
select is(pg_temp.trash(), '/empty file', 'which is in the trash');
select tusk.move('/a/b', '/b');
select tusk.move('/b', '/b');
select is(pg_temp.tree(), '/a/ /b/ /b/c.txt=one /empty=x', 'move of a folder');
select is((select s.nlink from tusk.stat('/a') s), 2, 'its old parent counts it no more');
select tusk.move('/b', '/a', true);
select is(pg_temp.tree(), '/a/ /a/c.txt=one /empty=x', 'over an empty folder');
insert into tusk.xattrs select tusk.id_of('/a/c.txt'), 'user.colour', 'red';
select ok(f.has_xattrs, 'a file knows of its attributes') from tusk.files f where f.id = tusk.id_of('/a/c.txt');
select isnt(tusk.copy('/a', '/copy'), tusk.id_of('/a'), 'copy of a folder');
select is(pg_temp.tree(), '/a/ /a/c.txt=one /copy/ /copy/c.txt=one /empty=x', 'has all of it');
select is((select x.value from tusk.xattrs x where x.owner_id = tusk.id_of('/copy/c.txt')), 'red', 'attributes too');
select tusk.copy('/empty', '/copy/c.txt', true);
select is(pg_temp.text_of('/copy/c.txt'), 'x', 'copy over a file');

-- Trash.
select is(tusk.delete('/copy', recursive => true), 2::bigint, 'delete of a folder with all in it');
select is(pg_temp.tree(), '/a/ /a/c.txt=one /empty=x', 'it is gone');
select is((select tusk.trash_restore(t.trash_id) from tusk.trash_list() t where t.kind = 'folder'
  and t.original_path = '/copy'), '/copy', 'and comes back');
select is(pg_temp.tree(), '/a/ /a/c.txt=one /copy/ /copy/c.txt=x /empty=x', 'with all of it');
select is((select tusk.trash_restore(t.trash_id, '/again') from tusk.trash_list() t
  where t.original_path = '/empty'), '/again', 'to another path');
select is(pg_temp.text_of('/again'), '', 'as it was');
select is(tusk.delete('/copy', true, true), 2::bigint, 'skip_trash');
select is((select count(*) from tusk.files f where f.filename = 'c.txt'), 2::bigint, 'is for good');
delete from tusk.files where id = tusk.id_of('/again');
select is(pg_temp.trash(), '/a folder, /again file, /copy folder, /copy/c.txt file', 'DELETE goes to the trash');
update tusk.files set deleted_at = deleted_at - interval '1 minute' where filename = 'again';
update tusk.folders set deleted_at = deleted_at - interval '1 minute' where name = 'copy';
select is(pg_temp.error_of('delete from tusk.files where filename = ''again'''), '55000', 'what was in the trash is not deleted by row');
select is(pg_temp.error_of('delete from tusk.folders where name = ''copy'''), '55000', 'nor a folder');
select tusk.write_file('/late', 'x');
update tusk.files set deleted_at = clock_timestamp() where filename = 'late';
delete from tusk.files where filename = 'late';
select is((select count(*) from tusk.files f where f.filename = 'late'), 1::bigint, 'what somebody else has just deleted stays in the trash');
select tusk.trash_restore(f.id) from tusk.files f where f.filename = 'late';
select tusk.delete('/late', skip_trash => true);
select is((select count(*) from tusk.files f where f.filename = 'late'), 0::bigint, 'and goes when that is said');
select is(tusk.trash_purge('1 day'), 0::bigint, 'what is young stays');
select is(tusk.trash_purge(), 4::bigint, 'trash_purge');
select is(pg_temp.trash(), '', 'empties it');
select tusk.set_retention('/a', '0', 3);
select is(p.*::text, '(3,7776000000000000,0,0)', 'set_retention') from tusk.policy_of(tusk.id_of('/a')) p;
select tusk.write_file('/a/x', 'x');
delete from tusk.files where id = tusk.id_of('/a/x');
select is(pg_temp.trash(), '', 'where no trash is kept DELETE is for good');
select tusk.set_retention('/', '2 days');
select is(p.trash_ns, 172800000000000, 'of the root') from tusk.policy_of(tusk.id_of('/')) p;

-- Rows.
update tusk.files set data = 'three' where id = tusk.id_of('/a/c.txt');
select is((f.size_bytes, f.version, f.checksum)::text, '(5,5,)', 'UPDATE of data sets what goes with it')
from tusk.files f where f.id = tusk.id_of('/a/c.txt');
select is(tusk.read_version('/a/c.txt', 4), 'one', 'and leaves a version');
insert into tusk.files (tenant_id, folder_id, filename, data, checksum)
select d.tenant_id, d.id, 'summed', 'x', decode(repeat('00', 16), 'hex') from tusk.folders d where d.id = tusk.id_of('/a');
update tusk.files set data = 'y' where filename = 'summed';
select is((select f.checksum from tusk.files f where f.filename = 'summed'), null, 'a sum that is no longer right goes');
update tusk.files set data = 'y', version = version + 1, checksum = null where filename = 'summed';
select is((f.size_bytes, f.version)::text, '(1,3)', 'a client may count versions itself')
from tusk.files f where f.filename = 'summed';
update tusk.files set data = null where filename = 'summed';
select is(pg_temp.text_of('/a/summed'), '', 'data null is an empty file');
insert into tusk.folders (parent_id, name) select tusk.id_of('/'), 'n' || n from generate_series(1, 3) n;
select is((select s.nlink from tusk.stat('/') s), 6, 'the root counts its subfolders');
update tusk.folders set parent_id = tusk.id_of('/n1') where name in ('n2', 'n3');
select is((select s.nlink from tusk.stat('/n1') s), 4, 'and so does another');
delete from tusk.folders where name in ('n1', 'n2', 'n3');
select is(pg_temp.trash(), '/n1 folder, /n1/n2 folder, /n1/n3 folder', 'a folder with its subfolders, in one statement');
update tusk.folders set deleted_at = null where name = 'n1';
select is((select s.nlink from tusk.stat('/n1') s), 2, 'one of them comes back alone');
insert into tusk.file_links (file_id, folder_id, name) select tusk.id_of('/empty'), tusk.id_of('/n1'), 'further';
select is((select s.nlink from tusk.stat('/empty') s), 2, 'a further name');
select tusk.delete('/empty');
select is(pg_temp.text_of('/n1/further'), 'x', 'stays when the first goes');
insert into tusk.file_links (file_id, folder_id, name) select tusk.id_of('/n1/further'), tusk.id_of('/'), 'third';
select is(pg_temp.error_of('select tusk.move(''/third'', ''/n1/further'')'), '42710', 'one name of a file onto another');
select tusk.move('/third', '/n1/further', true);
select is((tusk.id_of('/third'), s.nlink)::text, (tusk.id_of('/n1/further'), 2)::text, 'with overwrite both stay, as with rename(2)')
from tusk.stat('/third') s;
select tusk.move('/third', '/fourth');
select is(tusk.delete('/fourth'), 1::bigint, 'a further name goes');
select is((select s.nlink from tusk.stat('/n1/further') s), 1, 'the file stays');
select isnt((select tusk.resolve_at('/empty', h.until_ns - 1) from tusk.path_history h where h.name = 'empty' limit 1),
  null, 'history knows the old name');

-- Files in the business of applications.
create table invoices (id integer primary key, file uuid references tusk.files (id));
create table users (id integer primary key, photo uuid);
create trigger users_photo after delete on users
for each row execute function tusk.on_delete_trash('photo');
create trigger users_wrong after delete on invoices
for each row when (old.id < 0) execute function tusk.on_delete_trash('no such column');
begin;
insert into invoices values (1, tusk.write_file('/invoice', 'paid'));
rollback;
select is(tusk.resolve('/invoice'), null, 'rolled back with its row');
insert into invoices values (1, tusk.write_file('/invoice', 'paid'));
select is(pg_temp.error_of(c.call), '23503', c.call)
from (values
  ('select tusk.delete(''/invoice'')'),
  ('select tusk.delete(''/invoice'', skip_trash => true)'),
  ('update tusk.files set deleted_at = now() where filename = ''invoice'''),
  ('delete from tusk.files where filename = ''invoice''')) c (call);
select throws_like('select tusk.delete(''/invoice'')', '%invoices_file_fkey of invoices%', 'the constraint is named');
update tusk.tenants set policy = policy || '{"on_reference": "trash"}';
select is(tusk.delete('/invoice', skip_trash => true), 1::bigint, 'on_reference trash lets it go to the trash');
select is(tusk.trash_purge(), 2::bigint, 'but not further');
select is(pg_temp.trash(), '/invoice file', 'it stays there');
delete from invoices;
select is(tusk.trash_purge(), 1::bigint, 'until nothing refers to it');
insert into users values (1, tusk.write_file('/photo', 'me'));
delete from users;
select is(pg_temp.trash(), '/photo file', 'on_delete_trash');
insert into invoices values (-1, null);
select is(pg_temp.error_of('delete from invoices'), '22023', 'its column must be there');
drop table invoices, users;

-- Chunks and objects, as a mount leaves them.
set tusk.driver = on;
update tusk.files set data = null, size_bytes = 65539, version = 9, content_at_ns = tusk.clock_ns()
where filename = 'summed';
insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data)
select f.id, n, 9, decode(repeat('00', 16), 'hex'), case n when 0 then 'head' else 'end' end::bytea
from tusk.files f, generate_series(0, 1) n where f.filename = 'summed';
reset tusk.driver;
update tusk.mounts m set bytes = m.bytes + 65539;
select is(tusk.read_file('/a/summed', 65535, 3), '\x00656e', 'a part of two chunks');
select is(length(tusk.read_file('/a/summed')), 65539, 'all of them');
select isnt(tusk.copy('/a/summed', '/a/shared'), null, 'a copy');
select is((select count(*) from tusk.file_chunks c where c.data is not null), 2::bigint, 'shares them');
select is(tusk.append_file('/a/summed', '!'), 65540::bigint, 'append');
select is(tusk.read_file('/a/summed', 65536), 'end!', 'to chunks');
select is(length(tusk.read_version('/a/summed', 9)), 65539, 'which are a version');
select tusk.restore_version('/a/summed', 9);
select is(tusk.read_file('/a/shared'), tusk.read_file('/a/summed'), 'that can be restored');
select is((u.files, u.folders, u.bytes_external)::text, '(4,3,0)', 'usage') from tusk.usage() u;

delete from tusk.files where filename in ('summed', 'shared');
select is((select count(*) from tusk.file_chunks), 0::bigint, 'DELETE for good takes the chunks along');

-- Roles, made twice.
select tusk.make_roles(), tusk.make_roles();
select tusk.grant_tenant('tusk_reader', 'default'), tusk.grant_tenant('tusk_writer', 'default');
select is(pg_temp.error_of(format('set local role %s; %s', c.role, c.call)), c.wanted, c.role || ': ' || c.call)
from (values
  ('tusk_reader', 'select tusk.read_file(''/a/c.txt''), tusk.stat(''/a''), tusk.usage()', 'fine'),
  ('tusk_reader', 'select * from tusk.list_folder(''/''), tusk.versions(''/a/c.txt''), tusk.trash_list()', 'fine'),
  ('tusk_reader', 'select tusk.write_file(''/r'', '''')', '42501'),
  ('tusk_reader', 'select tusk.delete(''/a/c.txt'')', '42501'),
  ('tusk_reader', 'select tusk.trash_purge()', '42501'),
  ('tusk_reader', 'update tusk.files set data = ''x''', '42501'),
  ('tusk_reader', 'select tusk.set_retention(''/'', ''0'')', '42501'),
  ('tusk_reader', 'select tusk.copy_file(tusk.id_of(''/a/c.txt''), tusk.id_of(''/''), ''x'')', '42501'),
  ('tusk_writer', 'select tusk.write_file(''/w/x'', ''w'', null, 420, true)', 'fine'),
  ('tusk_writer', 'select tusk.append_file(''/w/x'', ''w'')', 'fine'),
  ('tusk_writer', 'select tusk.copy(''/w'', ''/w2''), tusk.move(''/w2'', ''/w3'')', 'fine'),
  ('tusk_writer', 'insert into tusk.files (tenant_id, filename, data) select id, ''plain'', '''' from tusk.tenants', 'fine'),
  ('tusk_writer', 'update tusk.files set data = ''x'' where filename = ''plain''', 'fine'),
  ('tusk_writer', 'delete from tusk.files where filename = ''plain''', 'fine'),
  ('tusk_writer', 'select tusk.delete(''/w'', true), tusk.delete(''/w3'', true, true)', 'fine'),
  ('tusk_writer', 'select tusk.trash_restore(t.trash_id) from tusk.trash_list() t where t.original_path = ''/w''', 'fine'),
  ('tusk_writer', 'delete from tusk.file_versions', '42501'),
  ('tusk_writer', 'delete from tusk.file_chunks', '42501'),
  ('tusk_writer', 'update tusk.mounts set files = 0', '42501'),
  ('tusk_writer', 'select tusk.trash_purge()', '42501'),
  ('tusk_writer', 'select tusk.purge_files(array[tusk.id_of(''/a/c.txt'')])', '42501'),
  ('tusk_writer', 'select tusk.delete_files(array[tusk.id_of(''/a/c.txt'')])', '42501'),
  ('tusk_writer', 'select tusk.end_name(tusk.id_of(''/''), tusk.id_of(''/''), true, 0, 1, ''x'')', '42501'),
  ('tusk_admin', 'select tusk.trash_purge()', 'fine')) c (role, call, wanted);
select is(current_user::text, 'postgres', 'back again');
select * from finish();
