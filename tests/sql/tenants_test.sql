-- Trees apart, for pg_prove: a role of one tree tries to read, write, link and rename in another one by
-- every function and every table. A database with sql/migrations; run as a superuser, whoever owns it.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
create extension if not exists pgtap;
set client_min_messages = warning;
set search_path = public;
select * from no_plan();
do $$
declare
  each text;
begin
  foreach each in array array['ann', 'ben', 'cat', 'duo', 'nobody_in'] loop
    if not exists (select from pg_roles r where r.rolname = each) then
      execute format('create role %I login', each);
    end if;
  end loop;
end
$$;
select tusk.make_roles();
grant tusk_writer to ann, duo, nobody_in;
grant tusk_reader to cat;
grant tusk_admin to ben;

insert into tusk.tenants (name, root_id, policy)
select t.name, tusk.uuid_v7(), '{"version_interval": 0}'
from (values ('a'), ('b'), ('default')) t (name)
on conflict (name) do nothing;
insert into tusk.mounts (tenant_id) select t.id from tusk.tenants t on conflict do nothing;
select tusk.grant_tenant('ann', 'a'), tusk.grant_tenant('cat', 'b'), tusk.grant_tenant('duo', 'a'),
  tusk.grant_tenant('duo', 'b');

create function pg_temp.outcome(role_name text, call text) returns text language plpgsql as $$
declare
  got text;
begin
  execute format('set local role %I', role_name);
  execute call into got;
  reset role;
  return coalesce(got, '');
exception when others then
  return sqlstate;
end
$$;

-- Both trees hold the same paths; what is in b is secret.
create function pg_temp.fill(tree text, secret text) returns void language plpgsql as $$
declare
  file uuid;
begin
  perform tusk.set_tenant(tree);
  perform tusk.write_file('/hush/file', (secret || ' first')::bytea, null, 420, true);
  file := tusk.write_file('/hush/file', secret::bytea);
  perform tusk.write_file('/hush/sub/deep', secret::bytea, null, 420, true);
  perform tusk.write_file('/hush/gone', secret::bytea);
  perform tusk.delete('/hush/gone');
  perform tusk.make_folder('/hush/empty');
  perform tusk.move('/hush/empty', '/hush/moved');
  insert into tusk.file_links (file_id, folder_id, name) values (file, tusk.id_of('/hush'), 'link');
  insert into tusk.xattrs (owner_id, name, value) values (file, 'user.hush', secret::bytea);
  -- A large file, and one that shares with it and outlives it.
  file := tusk.write_file('/hush/large', '');
  set local tusk.driver = on;
  update tusk.files f set data = null, size_bytes = 65540, version = 7 where f.id = file;
  insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data)
  select file, n, 7, decode(repeat('00', 16), 'hex'), secret::bytea from generate_series(0, 1) n;
  update tusk.mounts m set bytes = m.bytes + 65540 where m.tenant_id = tusk.current_tree();
  set local tusk.driver = '';
  perform tusk.copy('/hush/large', '/hush/shared');
  perform tusk.delete('/hush/large', skip_trash => true);
  insert into tusk.snapshots (tenant_id, name, taken_at_ns) values (tusk.current_tree(), secret, tusk.clock_ns());
end
$$;
begin;
select pg_temp.fill('a', 'OWN');
commit;
begin;
select pg_temp.fill('b', 'SECRET');
commit;
reset tusk.tenant;

create function pg_temp.ids(tree text) returns uuid[] language sql as $$
  select array_agg(i.id)
  from tusk.tenants t
  cross join lateral (
    select t.id union all select t.root_id
    union all select f.id from tusk.files f where f.tenant_id = t.id
    union all select d.id from tusk.folders d where d.tenant_id = t.id
    union all
    select c.src_file_id from tusk.file_chunks c join tusk.files f on f.id = c.file_id
    where f.tenant_id = t.id and c.src_file_id is not null) i
  where t.name = tree
$$;
-- All rows of tree b, by what they hold.
create function pg_temp.rows_of_b() returns text language sql as $$
  select md5(string_agg(r.line, E'\n' order by r.line))
  from (
    select 'files ' || f::text as line from tusk.files f
    union all select 'folders ' || d::text from tusk.folders d
    union all select 'links ' || l::text from tusk.file_links l
    union all select 'xattrs ' || x::text from tusk.xattrs x
    union all select 'versions ' || v::text from tusk.file_versions v
    union all select 'chunks ' || c::text from tusk.file_chunks c
    union all select 'names ' || h::text from tusk.path_history h
    union all select 'snapshots ' || s::text from tusk.snapshots s
    union all select 'pending ' || u::text from tusk.usage_pending u
    union all select 'tenants ' || t::text from tusk.tenants t) r
  where r.line ~ (select string_agg(i.id::text, '|') from unnest(pg_temp.ids('b')) i (id))
$$;
create temporary table before as select pg_temp.rows_of_b() as rows, pg_temp.ids('b') as ids;
create function pg_temp.tells(answer text) returns boolean language sql as $$
  select coalesce(answer ~ (
    'SECRET|534543524554|' || (select array_to_string(b.ids, '|') from pg_temp.before b)), false)
$$;
select isnt((select rows from before), null, 'there is something to keep');

-- Which tree a role works in.
select is(pg_temp.outcome(c.role, c.call), c.wanted, c.role || ': ' || c.call)
from (values
  ('ann', 'select convert_from(tusk.read_file(''/hush/file''), ''UTF8'')', 'OWN'),
  ('cat', 'select convert_from(tusk.read_file(''/hush/file''), ''UTF8'')', 'SECRET'),
  ('ann', 'select string_agg(name, '','') from tusk.tenants', 'a'),
  ('duo', 'select string_agg(name, '','' order by name) from tusk.tenants', 'a,b'),
  ('duo', 'select tusk.read_file(''/hush/file'')', '42501'),
  ('nobody_in', 'select tusk.read_file(''/hush/file'')', '42501'),
  ('nobody_in', 'select count(*) from tusk.files', '0'),
  ('nobody_in', 'select count(*) from tusk.tenants', '0'),
  ('nobody_in', 'select tusk.write_file(''/x'', ''x'')', '42501'),
  ('ann', 'select tusk.set_tenant(''b'')', '22023'),
  ('ann', 'select tusk.set_tenant(''default'')', '22023'),
  ('ann', 'select tusk.grant_tenant(''ann'', ''b'')', '42501'),
  ('ann', 'insert into tusk.tenant_members select tenant_id, ''ann'' from tusk.tenant_members', '42501'),
  ('ann', 'select count(*) from tusk.tenant_members', '1'),
  ('ann', 'update tusk.tenants set quota_bytes = null', '42501'),
  ('ann', 'select tusk.set_quota(''a'')', '42501'),
  ('ann', 'update tusk.mounts set files = 0', '42501'),
  ('ann', 'select count(*) from tusk.changes', '42501'),
  ('ben', 'select count(distinct tenant_id) from tusk.files', '2'),
  ('ann', 'select length(tusk.read_file(''/hush/shared''))', '65540'),
  ('cat', 'select length(tusk.read_file(''/hush/shared''))', '65540'),
  ('cat', 'select tusk.write_file(''/hush/file'', ''x'')', '42501'),
  ('ann', 'select count(*) from tusk.trash where tenant <> ''a''', '0'),
  ('ann', 'select count(*) from tusk.trash', '1'),
  ('ann', 'select count(*) from tusk.trash_list()', '1')) c (role, call, wanted);
select throws_ok('select tusk.grant_tenant(''no_such_role'', ''a'')', '42704');
select throws_ok('select tusk.grant_tenant(''ann'', ''no such tenant'')', '22023');

-- The setting alone opens nothing, nor does that of mounts, nor an operator or function of one's own.
begin;
select set_config('tusk.tenant', (select id::text from tusk.tenants where name = 'b'), true);
set local role ann;
select is((select count(*) from tusk.files), 0::bigint, 'a tree that was not granted shows nothing');
select is((select tusk.current_tree()), null, 'and is nobody''s');
reset role;
set local role duo;
select is(convert_from(tusk.read_file('/hush/file'), 'UTF8'), 'SECRET', 'one that was granted is there');
rollback;
begin;
create schema evil authorization ann;
set local role ann;
create function evil.has_table_privilege(oid, text) returns boolean language sql as 'select true';
create function evil.has_table_privilege(regclass, text) returns boolean language sql as 'select true';
create function evil.has_table_privilege(name, regclass, text) returns boolean language sql as 'select true';
create function evil.pg_has_role(name, oid, text) returns boolean language sql as 'select true';
create function evil.current_setting(text, boolean) returns text language sql as $$ select 'on' $$;
set local search_path = evil, pg_catalog, public;
set local tusk.driver = on;
select is((select count(*) from tusk.tenants), 1::bigint, 'functions of one''s own open nothing');
select is((select count(distinct tenant_id) from tusk.files), 1::bigint, 'no rows either');
insert into tusk.files (tenant_id, folder_id, filename, data, size_bytes)
select tusk.current_tree(), tusk.id_of('/hush'), 'forged', 'x', 99;
select is((select size_bytes from tusk.files where filename = 'forged'), 1::bigint,
  'the setting of mounts does not keep triggers from firing');
rollback;

-- Every function, with what is b's: by ids, in each place at once or beside one's own, by paths, by name.
create function pg_temp.argument(kind regtype, name text, id uuid, own uuid, n integer) returns text
language sql as $$
  select case
    when kind = 'uuid'::regtype then quote_literal(case n when 0 then own else id end) || '::uuid'
    when kind = 'uuid[]'::regtype then format('array[%L]::uuid[]', id)
    when kind = 'bigint[]'::regtype then 'array[1]::bigint[]'
    when kind = 'bigint'::regtype then '1'
    when kind = 'integer'::regtype then '33188'
    when kind = 'boolean'::regtype then 'true'
    when kind = 'bytea'::regtype then '''x''::bytea'
    when kind = 'name'::regtype then '''ann'''
    when kind = 'text'::regtype and name in ('tenant', 'name') then '''b'''
    when kind = 'text'::regtype and name like '%path' then '''/hush/file'''
    when kind = 'text'::regtype then '''x'''
    when kind = 'tusk.place'::regtype then format('row(%L, ''file'')::tusk.place', id)
    when kind = 'interval'::regtype then '''0''::interval'
    else format('null::%s', kind)
  end
$$;
select tusk.set_tenant('a');
create temporary table attempts as
select distinct format('select string_agg(r::text, '' '') from tusk.%I(%s) r', p.proname, a.arguments) as call,
  exists (select from unnest(p.proargtypes) k where k in ('uuid'::regtype, 'uuid[]'::regtype, 'tusk.place'::regtype)) as has_ids
from pg_proc p
cross join unnest(pg_temp.ids('b')) b (id)
cross join (select tusk.id_of('/hush') as id) own
cross join generate_series(0, 2) whose (first)
cross join lateral (
  select coalesce(string_agg(
    pg_temp.argument(k.kind, p.proargnames[k.n], b.id, own.id, case when k.n = whose.first then 0 else 1 end),
    ', ' order by k.n), '') as arguments
  from unnest(p.proargtypes::oid[]) with ordinality k (kind, n)) a
where p.pronamespace = 'tusk'::regnamespace
  and p.prokind = 'f'
  and p.prorettype <> 'trigger'::regtype
  and (a.arguments ~ b.id::text or a.arguments !~ own.id::text);
create function pg_temp.attempt(call text, has_ids boolean) returns text language plpgsql as $$
declare
  answer text;
begin
  begin
    execute 'set local role ann';
    execute call into answer;
    execute 'reset role';
    if has_ids and answer ~ 'true|hush' or pg_temp.tells(answer) then
      return 'tells: ' || answer;
    elsif pg_temp.rows_of_b() is distinct from (select b.rows from pg_temp.before b) then
      return 'has changed something';
    end if;
    raise exception using errcode = 'TF999';
  exception when others then
    return case
      when sqlstate in ('TF999', '42501', '22023', '58P01', '42704', '23503', '23505', '23514', '42710', '2BP01',
        '42883', '0A000', '22P02', '55000', '23502') then ''
      else 'ends with ' || sqlstate || ' ' || sqlerrm
    end;
  end;
end
$$;
select ok((select count(*) from attempts) > 500, 'there is a lot to try');
select is(pg_temp.attempt(t.call, t.has_ids), '', t.call)
from attempts t
where pg_temp.attempt(t.call, t.has_ids) <> '';
select is((select count(*) from attempts t where pg_temp.attempt(t.call, t.has_ids) <> ''), 0::bigint,
  'no function tells or changes anything of another tree');
select is((select count(*) from pg_proc p where p.pronamespace = 'tusk'::regnamespace
  and has_function_privilege('public', p.oid, 'execute')), 0::bigint, 'none is everybody''s');

-- Every table: what ann sees of it has nothing of b, and b has nothing of what she does to it.
create function pg_temp.seen(name text) returns text language plpgsql as $$
declare
  seen text;
begin
  execute 'set local role ann';
  execute format('select string_agg(t::text, '' '') from tusk.%I t', name) into seen;
  execute 'reset role';
  return coalesce(seen, '');
exception when insufficient_privilege then
  return '';
end
$$;
select ok(not exists (select from regexp_matches(pg_temp.seen(c.relname),
  'SECRET|534543524554|' || (select array_to_string(b.ids, '|') from before b))), 'ann reads ' || c.relname)
from pg_class c
where c.relnamespace = 'tusk'::regnamespace
  and c.relkind in ('r', 'v');
select ok(c.relrowsecurity and c.relforcerowsecurity, c.relname || ' has forced row-level security')
from pg_class c
where c.relnamespace = 'tusk'::regnamespace
  and c.relkind = 'r'
  and c.relname <> 'schema_migrations';
create temporary table b as
select t.id as tree, t.root_id as root,
  (select f.id from tusk.files f where f.tenant_id = t.id and f.filename = 'file') as file,
  (select f.id from tusk.files f where f.tenant_id = t.id and f.filename = 'gone') as gone,
  (select d.id from tusk.folders d where d.tenant_id = t.id and d.name = 'hush') as folder
from tusk.tenants t
where t.name = 'b';
create function pg_temp.try(call text) returns text language plpgsql as $$
declare
  ids pg_temp.b;
  own pg_temp.b;
  touched bigint;
begin
  select * into ids from pg_temp.b;
  execute 'set local role ann';
  execute replace(replace(replace(replace(replace(call, ':tree', quote_literal(ids.tree)), ':root',
    quote_literal(ids.root)), ':file', quote_literal(ids.file)), ':gone', quote_literal(ids.gone)), ':folder',
    quote_literal(ids.folder));
  get diagnostics touched = row_count;
  execute 'reset role';
  return touched::text;
exception when others then
  return sqlstate;
end
$$;
select is(pg_temp.try(c.call), c.wanted, c.call)
from (values
  ('select from tusk.files where id = :file', '0'),
  ('select from tusk.file_versions where file_id = :file', '0'),
  ('update tusk.files set data = ''x'' where id = :file', '0'),
  ('update tusk.files set filename = ''x'' where folder_id = :folder', '0'),
  ('update tusk.files set folder_id = tusk.id_of(''/hush'') where id = :file', '0'),
  ('update tusk.files set deleted_at = null where id = :gone', '0'),
  ('update tusk.folders set name = ''x'' where id = :folder', '0'),
  ('update tusk.folders set parent_id = tusk.id_of(''/'') where id = :folder', '0'),
  ('delete from tusk.files where id = :file', '0'),
  ('delete from tusk.folders where id = :folder', '0'),
  ('delete from tusk.file_links where file_id = :file', '0'),
  ('delete from tusk.xattrs where owner_id = :file', '0'),
  ('update tusk.file_links set name = ''x'' where folder_id = :folder', '0'),
  ('update tusk.xattrs set value = ''x'' where owner_id = :file', '0'),
  ('insert into tusk.files (tenant_id, filename, data) values (:tree, ''x'', ''x'')', '42501'),
  ('insert into tusk.files (tenant_id, folder_id, filename, data) values (:tree, :folder, ''x'', ''x'')', '42501'),
  ('insert into tusk.files (tenant_id, folder_id, filename, data) values (:tree, :folder, ''file'', ''x'')', '42501'),
  ('insert into tusk.files (tenant_id, folder_id, filename, data) values (tusk.current_tree(), :folder, ''x'', ''x'')', '23503'),
  ('insert into tusk.files (tenant_id, folder_id, filename, data) values (tusk.current_tree(), :folder, ''file'', ''x'')', '23503'),
  ('insert into tusk.files (tenant_id, folder_id, filename, data) values (tusk.current_tree(), :root, ''x'', ''x'')', '23503'),
  ('insert into tusk.files (id, tenant_id, filename, data, deleted_at) values (tusk.uuid_v7(), :tree, ''x'', ''x'', now())', '42501'),
  ('insert into tusk.files (id, tenant_id, filename, data) values (:file, tusk.current_tree(), ''x'', ''x'') on conflict (id) do update set data = ''x''', '42501'),
  ('insert into tusk.files (id, tenant_id, filename, data) values (:file, tusk.current_tree(), ''x'', ''x'') on conflict (id) do nothing', '0'),
  ('insert into tusk.folders (tenant_id, parent_id, name) values (:tree, :folder, ''x'')', '42501'),
  ('insert into tusk.folders (parent_id, name) values (:folder, ''x'')', '23503'),
  ('insert into tusk.folders (parent_id, name) values (:folder, ''sub'')', '23503'),
  ('insert into tusk.folders (tenant_id, parent_id, name) values (tusk.current_tree(), :root, ''x'')', '23503'),
  ('update tusk.files set folder_id = :folder where filename = ''deep''', '23503'),
  ('update tusk.files set tenant_id = :tree where filename = ''deep''', '42501'),
  ('update tusk.folders set parent_id = :folder where name = ''sub''', '23503'),
  ('update tusk.folders set tenant_id = :tree where name = ''sub''', '42501'),
  ('insert into tusk.file_links (file_id, folder_id, name) values (:file, tusk.id_of(''/''), ''x'')', '23503'),
  ('insert into tusk.file_links (file_id, folder_id, name) values (tusk.id_of(''/hush/file''), :folder, ''x'')', '23503'),
  ('update tusk.file_links set file_id = :file', '23503'),
  ('update tusk.file_links set folder_id = :folder', '23503'),
  ('insert into tusk.xattrs (owner_id, name, value) values (:file, ''user.x'', ''x'')', '42501'),
  ('insert into tusk.xattrs (owner_id, name, value) values (:folder, ''user.tusk.policy.trash'', ''0'')', '42501'),
  ('update tusk.xattrs set owner_id = :file', '42501'),
  ('select tusk.copy_file(:file, tusk.id_of(''/''), ''x'')', '23503'),
  ('select tusk.copy_file(tusk.id_of(''/hush/file''), :folder, ''x'')', '23503'),
  ('select tusk.copy_folder(:folder, tusk.id_of(''/''), ''x'')', '23503'),
  ('select tusk.copy_folder(tusk.id_of(''/hush''), :folder, ''x'')', '23503'),
  ('select tusk.trash_restore(:gone)', '42704')) c (call, wanted);
select is(pg_temp.rows_of_b(), (select rows from before), 'the other tree is as it was');

-- As a login, and within its own tree everything works.
set session authorization ann;
select is(tusk.current_tree(), (select t.id from tusk.tenants t), 'its own tree without asking');
select is(tusk.trash_restore(t.trash_id), '/hush/gone', 'trash_restore') from tusk.trash_list() t;
select isnt(tusk.copy('/hush', '/copied'), null, 'copy');
select is(tusk.delete('/copied', true, true) > 3, true, 'delete for good');
select is(convert_from(tusk.read_version('/hush/file', 1), 'UTF8'), 'OWN first', 'a version');
select is(length(tusk.content(tusk.id_of('/hush/shared'))), 65540, 'what it shares with something gone');
reset session authorization;
select is(pg_temp.rows_of_b(), (select rows from before), 'and b is still as it was');
select tusk.revoke_tenant('ann', 'a');
select is(pg_temp.outcome('ann', 'select count(*) from tusk.files'), '0', 'until it is revoked');
select * from finish();
