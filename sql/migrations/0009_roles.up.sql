-- Who may do what with the tree: tusk_reader reads, tusk_writer changes files, folders, names and
-- attributes (by the functions or directly), tusk_admin everything. What goes with a change is done by
-- triggers with the rights of the owner. Roles belong to the whole server, and a dump names those that
-- have rights: so they are made when they are asked for.

revoke all on all functions in schema tusk from public;
revoke all on all tables in schema tusk from public;

create function tusk.make_roles()
returns void
language plpgsql
as $$
declare
  role_name text;
  given record;
  tables constant text := 'tusk.tenants, tusk.folders, tusk.files, tusk.file_links, tusk.xattrs,
    tusk.file_chunks, tusk.file_versions, tusk.path_history, tusk.snapshots, tusk.trash';
  reading constant text := 'tusk.uuid_v7(), tusk.now_ns(), tusk.clock_ns(),
    tusk.ns_to_timestamp(bigint), tusk.timestamp_to_ns(timestamptz), tusk.current_tree(),
    tusk.set_tenant(uuid), tusk.set_tenant(text), tusk.kind_of(integer), tusk.names_of(text),
    tusk.entry_at(uuid, text), tusk.entry_of(uuid, text), tusk.find(text), tusk.find(text, text), tusk.id_of(text),
    tusk.path_of(uuid), tusk.path(uuid), tusk.past_path(uuid), tusk.resolve(text, text),
    tusk.stat(text), tusk.list_folder(text, text, integer),
    tusk.content_part(uuid, bigint, bigint, bigint), tusk.content(uuid, bigint),
    tusk.content(uuid), tusk.read_file(text, bigint, bigint), tusk.versions(text),
    tusk.read_version(text, bigint), tusk.trash_list(text, timestamptz), tusk.policy(uuid),
    tusk.policy_of(uuid), tusk.usage(text), tusk.folder_at(uuid, bigint, text),
    tusk.resolve_at(text, bigint, text), tusk.last_seen(text, text), tusk.deletion_began(uuid)';
  writing constant text := 'tusk.begin_write(), tusk.lock_folder(uuid), tusk.place_of(text), tusk.check_length(bigint),
    tusk.make_folder(text, integer, boolean), tusk.write_file(text, bytea, text, integer, boolean),
    tusk.append_file(text, bytea), tusk.delete(text, boolean, boolean),
    tusk.keep_further_names(uuid[], uuid[]), tusk.purge_deleted(uuid[], uuid[]),
    tusk.is_below(uuid, uuid), tusk.clear_target(text, tusk.place, text, boolean),
    tusk.move(text, text, boolean), tusk.copy_file(uuid, uuid, text),
    tusk.copy_folder(uuid, uuid, text), tusk.copy(text, text, boolean),
    tusk.restore_version(text, bigint), tusk.trash_restore(uuid, text),
    tusk.set_retention(text, interval, integer, interval), tusk.on_delete_trash()';
begin
  foreach role_name in array array['tusk_reader', 'tusk_writer', 'tusk_admin'] loop
    continue when exists (select from pg_catalog.pg_roles r where r.rolname = role_name);
    begin
      execute format('create role %I nologin', role_name);
    exception when duplicate_object or unique_violation then
      null;  -- Another database of this server made it just now.
    end;
  end loop;

  for given in
    select g.role_name, g.what
    from (values
      ('tusk_reader', 'usage on schema tusk'),
      ('tusk_reader', 'select on ' || tables),
      ('tusk_reader', 'execute on function ' || reading),
      ('tusk_writer', 'usage on schema tusk'),
      ('tusk_writer', 'select on ' || tables),
      ('tusk_writer', 'insert, update, delete on tusk.folders, tusk.files, tusk.file_links,
        tusk.xattrs'),
      ('tusk_writer', 'execute on function ' || reading || ', ' || writing),
      ('tusk_admin', 'usage on schema tusk'),
      ('tusk_admin', 'select, insert, update, delete on all tables in schema tusk'),
      ('tusk_admin', 'execute on all functions in schema tusk')
    ) as g (role_name, what)
    join pg_catalog.pg_roles r on r.rolname = g.role_name
  loop
    execute format('grant %s to %I', given.what, given.role_name);
  end loop;
end
$$;
comment on function tusk.make_roles() is
  'Makes the roles tusk_reader, tusk_writer and tusk_admin where the server lacks them, and gives them their rights in the trees of this database. Needs the right to make roles. Databases that a dump is restored to need these roles first.';
