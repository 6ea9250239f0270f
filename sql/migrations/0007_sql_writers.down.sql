drop trigger follow_xattr on tusk.xattrs;
drop trigger follow_link on tusk.file_links;
drop trigger complete_link on tusk.file_links;
drop trigger follow_insert on tusk.folders;
drop trigger follow_delete on tusk.folders;
drop trigger follow_update on tusk.folders;
drop trigger follow_insert on tusk.files;
drop trigger follow_delete on tusk.files;
drop trigger follow_update on tusk.files;
drop trigger finish_folder on tusk.folders;
drop trigger change_folder on tusk.folders;
drop trigger complete_folder on tusk.folders;
drop trigger finish_file on tusk.files;
drop trigger change_file on tusk.files;
drop function tusk.follow_xattr();
drop function tusk.follow_link();
drop function tusk.complete_link();
drop function tusk.follow_folders();
drop function tusk.follow_files();
drop function tusk.touch_folders(uuid[], integer[]);
drop function tusk.finish_folder();
drop function tusk.change_folder();
drop function tusk.complete_folder();
drop function tusk.is_below(uuid, uuid);
drop function tusk.finish_file();
drop function tusk.stays_in_trash(timestamptz, bigint, text);
drop function tusk.change_file();
drop function tusk.change_content(tusk.files, tusk.files);
drop function tusk.keep_version(tusk.files, bigint);

create or replace function tusk.delete_folders(folder_ids uuid[])
returns void
language sql
as $$
  delete from tusk.folders where id = any (folder_ids);
  delete from tusk.path_history where entry_id = any (folder_ids);
  delete from tusk.path_history where folder_id = any (folder_ids);
  delete from tusk.xattrs where owner_id = any (folder_ids);
$$;

create or replace function tusk.delete_files(file_ids uuid[])
returns void
language plpgsql
as $$
begin
  delete from tusk.files where id = any (file_ids);
  delete from tusk.file_versions where file_id = any (file_ids);
  delete from tusk.path_history where entry_id = any (file_ids);
  delete from tusk.file_links where file_id = any (file_ids);
  delete from tusk.xattrs where owner_id = any (file_ids);
  delete from tusk.staging where file_id = any (file_ids);
  perform tusk.drop_chunks(
    file_ids,
    array_fill(0::bigint, array[cardinality(file_ids)]),
    array_fill(9223372036854775807, array[cardinality(file_ids)]),
    array_fill(0::bigint, array[cardinality(file_ids)]),
    array_fill(9223372036854775807, array[cardinality(file_ids)]));
end
$$;

create or replace function tusk.count_folder()
returns trigger
language plpgsql
as $$
begin
  if tg_op in ('UPDATE', 'DELETE') and old.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, 0, -1, 0);
  end if;
  if tg_op in ('UPDATE', 'INSERT') and new.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 0, 1, 0);
  end if;
  if tg_op = 'DELETE' then
    delete from tusk.xattrs where owner_id = old.id;
  end if;
  return null;
end
$$;

create or replace function tusk.count_file()
returns trigger
language plpgsql
as $$
begin
  -- What is in the trash is not counted.
  if tg_op in ('UPDATE', 'DELETE') and old.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (old.tenant_id, -1, 0, -old.size_bytes);
  end if;
  if tg_op in ('UPDATE', 'INSERT') and new.deleted_at is null then
    insert into tusk.usage_pending (tenant_id, files, folders, bytes)
    values (new.tenant_id, 1, 0, new.size_bytes);
  end if;
  if tg_op = 'DELETE' then
    perform tusk.delete_files(array[old.id]);
  end if;
  return null;
end
$$;

comment on function tusk.count_file() is
  'Trigger: notes what an SQL client adds to or takes from the counters of a tree, and removes what belonged to a file it deleted.';

create or replace function tusk.complete_file()
returns trigger
language plpgsql
as $$
begin
  if new.folder_id is null then
    select t.root_id into new.folder_id from tusk.tenants t where t.id = new.tenant_id;
    if new.folder_id is null then
      raise exception 'no tenant %', new.tenant_id
        using errcode = 'foreign_key_violation', hint = 'see tusk.tenants';
    end if;
  end if;
  if new.filename in ('', '.', '..')
    or strpos(new.filename, '/') > 0
    or octet_length(new.filename) > 255
  then
    raise exception '% is not a name for a file', quote_literal(new.filename)
      using errcode = 'check_violation', hint = 'a name has 1 to 255 bytes, no slash, and is not . or ..';
  end if;
  if new.deleted_at is null and (
    exists (
      select 1
      from tusk.folders d
      where d.parent_id = new.folder_id
        and d.name = new.filename
        and d.deleted_at is null
        and d.parent_id <> d.id)
    or exists (
      select 1 from tusk.file_links l where l.folder_id = new.folder_id and l.name = new.filename))
  then
    raise exception '% is taken in its folder', quote_literal(new.filename)
      using errcode = 'unique_violation';
  end if;
  if new.data is null and new.storage_type = 'db' and coalesce(new.size_bytes, 0) = 0 then
    new.data := ''::bytea;
  end if;
  if new.data is not null then
    new.size_bytes := octet_length(new.data);
  end if;
  return new;
end
$$;

comment on column tusk.tenants.policy is
  'What the root of the tree sets: versions (how many a file; 0: none), version_age, version_interval and trash (seconds; trash 0: deleted at once), inline_below and external_above (bytes). Keys that are missing have the defaults. Folders override it by extended attributes user.tusk.policy.KEY, whose values are decimal digits.';

drop function tusk.refuse_if_referenced(uuid, uuid, text);
drop function tusk.reference_to(uuid);
drop function tusk.end_name(uuid, uuid, boolean, bigint, bigint, text);
drop function tusk.check_attributes(integer, boolean, bigint, bigint);
drop function tusk.enter_name(uuid, uuid, uuid, text);
drop function tusk.lock_folder(uuid);
drop function tusk.keeps_trash(uuid, uuid);
drop function tusk.policy_of(uuid);
drop function tusk.forget_folders(uuid[]);
drop function tusk.forget_files(uuid[]);
drop function tusk.clock_ns();
