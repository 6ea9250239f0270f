-- The tree by paths, for SQL clients: in their own transactions, with or without mounts. Paths begin
-- at the root of the tree of tusk.set_tenant (else of 'default'); symbolic links are not followed.
-- Errors: 58P01 nothing is at the path, 42710 something is there already, 22023 it is not what the
-- function is for, 54000 too large, 2BP01 not empty, 23503 rows of applications refer to it.

create function tusk.set_tenant(tenant_id uuid)
returns void
language plpgsql
as $$
begin
  if not exists (select 1 from tusk.tenants t where t.id = set_tenant.tenant_id) then
    raise exception 'no tenant %', tenant_id
      using errcode = 'invalid_parameter_value', hint = 'see tusk.tenants';
  end if;
  perform set_config('tusk.tenant', tenant_id::text, false);
end
$$;
comment on function tusk.set_tenant(uuid) is
  'From now on the functions of this session work in the tree of this tenant.';

create function tusk.set_tenant(name text)
returns void
language plpgsql
as $$
declare
  tree uuid := (select t.id from tusk.tenants t where t.name = set_tenant.name);
begin
  if tree is null then
    raise exception 'no tenant %', quote_literal(name)
      using errcode = 'invalid_parameter_value', hint = 'see tuskfs tenant list';
  end if;
  perform tusk.set_tenant(tree);
end
$$;
comment on function tusk.set_tenant(text) is
  'From now on the functions of this session work in the tree of the tenant of this name.';

create function tusk.current_tree()
returns uuid
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('tusk.tenant', true), '')::uuid,
    (select t.id from tusk.tenants t where t.name = 'default'))
$$;
comment on function tusk.current_tree() is
  'The tenant whose tree the functions of this session work in.';

create function tusk.begin_write()
returns void
language plpgsql
security definer
set search_path = ''
set lock_timeout = '30s'
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(tusk.delegation_key(m.tenant_id))
  from (select tenant_id from tusk.mounts order by tenant_id) m;
  perform pg_catalog.pg_notify('tusk_changes', '');
exception when lock_not_available then
  raise exception 'a mount of this database does not let others write'
    using errcode = 'lock_not_available',
      hint = 'its process may be stopped, or wait for a row that this transaction has locked: see tuskfs status';
end
$$;
comment on function tusk.begin_write() is
  'Waits until mounts have committed what they have and let this transaction write. The functions that change something begin with it, and so find what mounts wrote.';

create or replace function tusk.enter_as_writer()
returns trigger
language plpgsql
as $$
begin
  perform tusk.begin_write();
  return null;
end
$$;

-- What is at a path.

create function tusk.kind_of(mode integer)
returns text
language sql
immutable
strict
parallel safe
as $$
  select case mode >> 12
    when 1 then 'fifo'
    when 2 then 'character device'
    when 4 then 'folder'
    when 6 then 'block device'
    when 8 then 'file'
    when 10 then 'symlink'
    when 12 then 'socket'
  end
$$;
comment on function tusk.kind_of(integer) is
  'What a mode of stat(2) says that something is: file, folder, symlink, fifo, socket, character device, block device.';

create type tusk.entry as (id uuid, kind text, is_link boolean);
comment on type tusk.entry is
  'A file or folder, its kind, and whether it was found by a further name (tusk.file_links).';

create function tusk.entry_at(folder uuid, name text)
returns tusk.entry
language sql
stable
as $$
  select d.id, 'folder', false
  from tusk.folders d
  where d.parent_id = entry_at.folder
    and d.name = entry_at.name
    and d.deleted_at is null
    and d.parent_id <> d.id
  union all
  select f.id, tusk.kind_of(f.mode), false
  from tusk.files f
  where f.folder_id = entry_at.folder
    and f.filename = entry_at.name
    and f.deleted_at is null
  union all
  select f.id, tusk.kind_of(f.mode), true
  from tusk.file_links l
  join tusk.files f
    on f.id = l.file_id
  where l.folder_id = entry_at.folder
    and l.name = entry_at.name
$$;
comment on function tusk.entry_at(uuid, text) is
  'What has a name in a folder, and whether that is a further name of it; all null when nothing.';

create function tusk.names_of(path text)
returns text[]
language sql
immutable
strict
parallel safe
as $$
  select coalesce(array_agg(p.name order by p.n), '{}')
  from unnest(string_to_array(path, '/')) with ordinality as p(name, n)
  where p.name not in ('', '.')
$$;
comment on function tusk.names_of(text) is
  'The names of a path, in order; none for the root.';

create function tusk.entry_of(tree uuid, path text)
returns tusk.entry
language plpgsql
stable
strict
as $$
declare
  part text;
  at tusk.entry;
begin
  select t.root_id, 'folder', false into at
  from tusk.tenants t
  where t.id = tree;
  foreach part in array tusk.names_of(path) loop
    exit when at.id is null;
    at := case when at.kind = 'folder' then tusk.entry_at(at.id, part) end;
  end loop;
  return at;
end
$$;
comment on function tusk.entry_of(uuid, text) is
  'The file or folder at a path of a tree; all null when nothing.';

create or replace function tusk.resolve(path text, tenant text default 'default')
returns uuid
language sql
stable
as $$
  select (tusk.entry_of(t.id, path)).id
  from tusk.tenants t
  where t.name = resolve.tenant
$$;

create function tusk.find(path text)
returns tusk.entry
language plpgsql
stable
as $$
declare
  at tusk.entry := tusk.entry_of(tusk.current_tree(), path);
begin
  if at.id is null then
    raise exception 'nothing is at %', quote_nullable(path)
      using errcode = 'undefined_file', hint = 'see tusk.list_folder';
  end if;
  return at;
end
$$;
comment on function tusk.find(text) is
  'The file or folder at a path, and its kind. Error 58P01 when there is none.';

create function tusk.find(path text, wanted text)
returns uuid
language plpgsql
stable
as $$
declare
  at tusk.entry := tusk.find(path);
begin
  if at.kind <> wanted then
    raise exception '% is a %, not a %', quote_literal(path), at.kind, wanted
      using errcode = 'invalid_parameter_value';
  end if;
  return at.id;
end
$$;
comment on function tusk.find(text, text) is
  'The file or folder at a path. Error 58P01 when there is none, 22023 when it is of another kind.';

create type tusk.place as (folder uuid, name text);
comment on type tusk.place is 'Where a name is or can be: a folder, and the name in it.';

create function tusk.place_of(path text)
returns tusk.place
language plpgsql
volatile
as $$
declare
  names text[] := tusk.names_of(path);
  place tusk.place;
begin
  if cardinality(names) is null or cardinality(names) = 0 then
    raise exception '% is not a path of something in the tree', quote_nullable(path)
      using errcode = 'invalid_parameter_value';
  end if;
  place.name := names[cardinality(names)];
  place.folder := tusk.find('/' || array_to_string(names[:cardinality(names) - 1], '/'), 'folder');
  -- Who takes or leaves a name there waits for others that do.
  perform tusk.lock_folder(place.folder);
  return place;
end
$$;
comment on function tusk.place_of(text) is
  'The folder that a path leads to, locked, and the last name of the path.';

create function tusk.id_of(path text)
returns uuid
language sql
stable
as $$
  select f.id from tusk.find(path) f
$$;
comment on function tusk.id_of(text) is
  'The id of the file or folder at a path, for columns that refer to tusk.files(id). Error 58P01 when there is none; tusk.resolve(path) gives null.';

create function tusk.path_of(id uuid)
returns text
language sql
stable
as $$
  select tusk.path(id)
$$;
comment on function tusk.path_of(uuid) is
  'The path of a file (by its first name) or folder; null when it is not in a tree.';

create function tusk.stat(path text)
returns table (
  id uuid, ino bigint, kind text, mode integer, uid bigint, gid bigint, nlink integer,
  size_bytes bigint, storage_type text, mime_type text, mtime timestamptz, version bigint,
  checksum bytea
)
language sql
stable
as $$
  select e.id,
    ('x' || right(replace(e.id::text, '-', ''), 16))::bit(64)::bigint & 4611686018427387903,
    tusk.kind_of(e.mode), e.mode, e.uid, e.gid, e.nlink, e.size_bytes, e.storage_type, e.mime_type,
    tusk.ns_to_timestamp(e.mtime_ns), e.version, e.checksum
  from tusk.find(path) at
  join (
    select f.id, f.mode, f.uid, f.gid, f.nlink, f.size_bytes, f.storage_type, f.mime_type,
      f.mtime_ns, f.version, f.checksum
    from tusk.files f
    union all
    select d.id, d.mode, d.uid, d.gid, d.nlink, 0, null, null, d.mtime_ns, null, null
    from tusk.folders d) e
    on e.id = at.id
$$;
comment on function tusk.stat(text) is
  'The attributes of what is at a path, as stat(1) shows them on a mount. checksum is XXH3-128, null when not known.';

create function tusk.list_folder(path text, after text default null, max_rows integer default 1000)
returns table (name text, kind text, id uuid, size_bytes bigint, mtime timestamptz)
language plpgsql
stable
as $$
declare
  folder uuid := tusk.find(path, 'folder');
begin
  return query
    select e.name, e.kind, e.id, e.size_bytes, tusk.ns_to_timestamp(e.mtime_ns)
    from (
      (select d.name, 'folder' as kind, d.id, 0::bigint as size_bytes, d.mtime_ns
       from tusk.folders d
       where d.parent_id = folder
         and d.parent_id <> d.id
         and d.deleted_at is null
         and (after is null or d.name > after)
       order by d.name
       limit max_rows)
      union all
      (select f.filename, tusk.kind_of(f.mode), f.id, f.size_bytes, f.mtime_ns
       from tusk.files f
       where f.folder_id = folder
         and f.deleted_at is null
         and (after is null or f.filename > after)
       order by f.filename
       limit max_rows)
      union all
      (select l.name, tusk.kind_of(f.mode), f.id, f.size_bytes, f.mtime_ns
       from tusk.file_links l
       join tusk.files f
         on f.id = l.file_id
       where l.folder_id = folder
         and (after is null or l.name > after)
       order by l.name
       limit max_rows)) e
    order by e.name
    limit max_rows;
end
$$;
comment on function tusk.list_folder(text, text, integer) is
  'What a folder holds, by name: at most max_rows after a name. For the next page give the last name of this one.';

-- Contents.

create function tusk.content_part(
  file_id uuid, version bigint, first_byte bigint default 0, length bigint default null)
returns bytea
language plpgsql
stable
as $$
declare
  f record;
  until bigint;
  missing bigint;
  result bytea;
begin
  if first_byte < 0 or length < 0 then
    raise exception 'a part of a file begins at 0 or later and has a length of 0 or more'
      using errcode = 'invalid_parameter_value';
  end if;
  select v.size_bytes, v.storage_type, v.external_url, v.holes, v.has_data
  into f
  from (
    select c.id, c.version, c.size_bytes, c.storage_type, c.external_url, c.holes,
      c.data is not null as has_data
    from tusk.files c
    union all
    select o.file_id, o.version, o.size_bytes, o.storage_type, o.external_url, o.holes,
      o.data is not null
    from tusk.file_versions o) v
  where v.id = content_part.file_id
    and v.version = content_part.version;
  if not found then
    return null;
  elsif f.storage_type <> 'db' then
    raise exception 'the content of file % is not in the database but at %', file_id, f.external_url
      using errcode = 'feature_not_supported', hint = 'read it there, or through a mount';
  end if;
  until := least(f.size_bytes, first_byte + coalesce(length, f.size_bytes));
  if first_byte >= until then
    return ''::bytea;
  elsif until - first_byte > 1000000000 then
    raise exception '% bytes of file % are more than one value can hold', until - first_byte, file_id
      using errcode = 'program_limit_exceeded', hint = 'read it in parts, or through a mount';
  elsif f.has_data then
    return (
      select substring(v.data from first_byte::integer + 1 for (until - first_byte)::integer)
      from (
        select c.id, c.version, c.data from tusk.files c
        union all
        select o.file_id, o.version, o.data from tusk.file_versions o) v
      where v.id = content_part.file_id
        and v.version = content_part.version);
  end if;

  select min(n) filter (where p.data is null and not p.hole),
    string_agg(
      coalesce(p.data, ''::bytea)
        || decode(repeat('00', 65536 - coalesce(octet_length(p.data), 0)), 'hex'),
      ''::bytea
      order by n)
  into missing, result
  from (
    select n,
      (select coalesce(c.data, s.data)
       from tusk.file_chunks c
       left join tusk.file_chunks s
         on s.file_id = c.src_file_id
         and s.chunk_no = c.src_chunk_no
         and s.version = c.src_version
       where c.file_id = content_part.file_id
         and c.chunk_no = n
         and c.version between 0 and content_part.version
         and not c.retained
         and not h.hole
       order by c.version desc
       limit 1) as data,
      h.hole
    from generate_series(first_byte / 65536, (until - 1) / 65536) as n
    cross join lateral (
      select exists (
        select 1
        from generate_series(1, coalesce(cardinality(f.holes), 0), 2) as i
        where n >= f.holes[i]
          and n < f.holes[i + 1]) as hole) h) p;
  if missing is not null then
    raise exception 'chunk % of file % is missing', missing, file_id using errcode = 'data_corrupted';
  end if;
  return substring(
    result from (first_byte % 65536)::integer + 1 for (until - first_byte)::integer);
end
$$;
comment on function tusk.content_part(uuid, bigint, bigint, bigint) is
  'Some bytes that a file had at a version, the present one included, however it is stored: only what they are in is read. Null when there is no such file or version.';

create or replace function tusk.content(file_id uuid, version bigint)
returns bytea
language sql
stable
as $$
  select tusk.content_part(file_id, version)
$$;

create function tusk.read_file(path text, "offset" bigint default 0, length bigint default null)
returns bytea
language sql
stable
as $$
  select tusk.content_part(f.id, f.version, "offset", read_file.length)
  from tusk.files f
  where f.id = tusk.find(path, 'file')
$$;
comment on function tusk.read_file(text, bigint, bigint) is
  'The bytes of the file at a path, all or a part of them. What has spilled to an object (storage_type external) is read there or through a mount.';

create function tusk.check_length(bytes bigint)
returns void
language plpgsql
immutable
as $$
begin
  if bytes > 268435456 then
    raise exception 'a file of % bytes is more than SQL clients can write', bytes
      using errcode = 'program_limit_exceeded', hint = 'the limit is 256 MiB: write it through a mount';
  end if;
end
$$;
comment on function tusk.check_length(bigint) is
  'Refuses contents longer than one row should hold.';

create function tusk.make_folder(path text, mode integer default 493, parents boolean default true)
returns uuid
language plpgsql
as $$
declare
  names text[] := tusk.names_of(path);
  above uuid := tusk.find('/', 'folder');
  at tusk.entry;
begin
  perform tusk.begin_write();
  for i in 1 .. cardinality(names) loop
    at := tusk.entry_at(above, names[i]);
    if at.id is null and (parents or i = cardinality(names)) then
      perform tusk.lock_folder(above);
      at := tusk.entry_at(above, names[i]);
    end if;
    if at.id is null and (parents or i = cardinality(names)) then
      insert into tusk.folders (tenant_id, parent_id, name, mode, uid, gid)
      select d.tenant_id, d.id, names[i], (make_folder.mode & 4095) | 16384, d.uid, d.gid
      from tusk.folders d
      where d.id = above
      returning id into at.id;
    elsif at.id is null then
      raise exception 'nothing is at %', quote_literal('/' || array_to_string(names[:i], '/'))
        using errcode = 'undefined_file';
    elsif at.kind <> 'folder' or (i = cardinality(names) and not parents) then
      raise exception '% is there already', quote_literal('/' || array_to_string(names[:i], '/'))
        using errcode = 'duplicate_object';
    end if;
    above := at.id;
  end loop;
  return above;
end
$$;
comment on function tusk.make_folder(text, integer, boolean) is
  'Makes a folder, owned by the owner of the one above, and answers its id. With parents as mkdir -p: what is missing above it too, and no error when it is there.';

create function tusk.write_file(
  path text, data bytea, mime_type text default null, mode integer default 420,
  create_parents boolean default false)
returns uuid
language plpgsql
as $$
declare
  names text[] := tusk.names_of(path);
  place tusk.place;
  at tusk.entry;
begin
  perform tusk.begin_write();
  perform tusk.check_length(octet_length(data));
  if create_parents and cardinality(names) > 1 then
    perform tusk.make_folder(array_to_string(names[:cardinality(names) - 1], '/'));
  end if;
  place := tusk.place_of(path);
  at := tusk.entry_at(place.folder, place.name);
  if at.id is null then
    insert into tusk.files (tenant_id, folder_id, filename, data, size_bytes, mime_type, mode, uid, gid)
    select d.tenant_id, d.id, place.name, coalesce(write_file.data, ''), 0, write_file.mime_type,
      (write_file.mode & 4095) | 32768, d.uid, d.gid
    from tusk.folders d
    where d.id = place.folder
    returning id into at.id;
  elsif at.kind <> 'file' then
    raise exception '% is a %, not a file', quote_literal(path), at.kind
      using errcode = 'invalid_parameter_value';
  else
    update tusk.files f
    set
      data = coalesce(write_file.data, ''),
      mime_type = coalesce(write_file.mime_type, f.mime_type),
      mtime_ns = tusk.clock_ns()
    where f.id = at.id;
  end if;
  return at.id;
end
$$;
comment on function tusk.write_file(text, bytea, text, integer, boolean) is
  'Gives the file at a path its content, all of it; makes it when it is not there, with this mode and the owner of its folder. Answers its id. The former content becomes a version.';

create function tusk.append_file(path text, data bytea)
returns bigint
language plpgsql
as $$
declare
  place tusk.place;
  at tusk.entry;
  size bigint;
begin
  perform tusk.begin_write();
  place := tusk.place_of(path);
  at := tusk.entry_at(place.folder, place.name);
  if at.id is null or at.kind <> 'file' then
    perform tusk.write_file(path, data);  -- which says what is wrong
    return octet_length(data);
  end if;
  select f.size_bytes + octet_length(append_file.data) into size
  from tusk.files f
  where f.id = at.id
  for no key update;
  perform tusk.check_length(size);
  update tusk.files f
  set data = tusk.content(f.id, f.version) || append_file.data
  where f.id = at.id;
  return size;
end
$$;
comment on function tusk.append_file(text, bytea) is
  'Adds to the end of the file at a path, or makes it, and answers its new length. Writes the whole content anew: for logs of some size, append through a mount.';

-- Names.

create function tusk.keep_further_names(file_ids uuid[], folder_ids uuid[])
returns uuid[]
language plpgsql
as $$
declare
  link record;
  kept uuid[] := '{}';
begin
  for link in
    select distinct on (l.file_id) l.file_id, l.folder_id, l.name
    from tusk.file_links l
    where l.file_id = any (file_ids)
      and l.folder_id <> all (folder_ids)
    order by l.file_id, l.named_at_ns
  loop
    delete from tusk.file_links l where l.folder_id = link.folder_id and l.name = link.name;
    update tusk.files f
    set folder_id = link.folder_id, filename = link.name
    where f.id = link.file_id;
    kept := kept || link.file_id;
  end loop;
  return kept;
end
$$;
comment on function tusk.keep_further_names(uuid[], uuid[]) is
  'Of files that lose their first name, those that have others outside these folders: one of these becomes the first.';

create function tusk.delete(path text, recursive boolean default false, skip_trash boolean default false)
returns bigint
language plpgsql
as $$
declare
  place tusk.place;
  at tusk.entry;
  folder_ids uuid[] := '{}';
  file_ids uuid[];
  kept uuid[];
  links bigint := 0;
begin
  perform tusk.begin_write();
  place := tusk.place_of(path);
  at := tusk.entry_at(place.folder, place.name);
  if at.id is null then
    raise exception 'nothing is at %', quote_literal(path) using errcode = 'undefined_file';
  elsif at.is_link then
    delete from tusk.file_links l where l.folder_id = place.folder and l.name = place.name;
    return 1;
  elsif at.kind <> 'folder' then
    file_ids := array[at.id];
  else
    with recursive below as (
      select at.id as id
      union all
      select d.id
      from below b
      join tusk.folders d
        on d.parent_id = b.id
      where delete.recursive
        and d.deleted_at is null
    )
    select array_agg(b.id) into folder_ids from below b;
    select coalesce(array_agg(f.id), '{}') into file_ids
    from tusk.files f
    where recursive
      and f.folder_id = any (folder_ids)
      and f.deleted_at is null;
    delete from tusk.file_links l
    where recursive
      and l.folder_id = any (folder_ids)
      and l.file_id <> all (file_ids);
    get diagnostics links = row_count;
  end if;
  kept := tusk.keep_further_names(file_ids, folder_ids);
  update tusk.files f
  set deleted_at = clock_timestamp(), deleted_by = 0
  where f.id = any (file_ids)
    and f.id <> all (kept);
  update tusk.folders d
  set deleted_at = clock_timestamp(), deleted_by = 0
  where d.id = any (folder_ids);
  if skip_trash then
    perform tusk.purge_deleted(file_ids, folder_ids);
  end if;
  return cardinality(file_ids) + cardinality(folder_ids) + links;
end
$$;
comment on function tusk.delete(text, boolean, boolean) is
  'Moves what is at a path to the trash: a file, an empty folder, or with recursive a folder with all in it; with skip_trash it is gone for good. A file that has another name elsewhere keeps that. How many names went.';

create function tusk.purge_deleted(file_ids uuid[], folder_ids uuid[])
returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform tusk.purge_files(array_agg(f.id))
  from tusk.files f
  where f.id = any (file_ids)
    and f.deleted_at is not null
    and f.tenant_id = tusk.current_tree()
    and not tusk.is_in_snapshot(
      f.tenant_id, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
  having count(*) > 0;
  -- Folders in which something stays in the trash stay with it.
  loop
    perform tusk.delete_folders(array_agg(d.id))
    from tusk.folders d
    where d.id = any (folder_ids)
      and d.deleted_at is not null
      and d.tenant_id = tusk.current_tree()
      and not tusk.is_in_snapshot(
        d.tenant_id, tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at))
      and not exists (select 1 from tusk.files f where f.folder_id = d.id)
      and not exists (select 1 from tusk.folders c where c.parent_id = d.id)
    having count(*) > 0;
    exit when not found;
  end loop;
end
$$;
comment on function tusk.purge_deleted(uuid[], uuid[]) is
  'Removes files and folders of the trash for good, but for what snapshots or rows of applications need.';

create function tusk.clear_target(path text, place tusk.place, moved text, overwrite boolean)
returns void
language plpgsql
as $$
declare
  at tusk.entry := tusk.entry_at(place.folder, place.name);
begin
  if at.id is null then
    return;
  elsif not overwrite then
    raise exception '% is there already', quote_literal(path)
      using errcode = 'duplicate_object', hint = 'with overwrite => true it goes to the trash';
  elsif (at.kind = 'folder') <> (moved = 'folder') then
    raise exception '% is a %, and not replaced by a %', quote_literal(path), at.kind, moved
      using errcode = 'invalid_parameter_value';
  end if;
  perform tusk.delete(path);
end
$$;
comment on function tusk.clear_target(text, tusk.place, text, boolean) is
  'Makes way at a path, which leads to this place, for something of a kind: what is there goes to the trash, or is refused to.';

create function tusk.move(old_path text, new_path text, overwrite boolean default false)
returns void
language plpgsql
as $$
declare
  old_place tusk.place;
  new_place tusk.place;
  at tusk.entry;
begin
  perform tusk.begin_write();
  -- In one order, whoever moves what where.
  if new_path < old_path then
    new_place := tusk.place_of(new_path);
    old_place := tusk.place_of(old_path);
  else
    old_place := tusk.place_of(old_path);
    new_place := tusk.place_of(new_path);
  end if;
  at := tusk.entry_at(old_place.folder, old_place.name);
  if at.id is null then
    raise exception 'nothing is at %', quote_literal(old_path) using errcode = 'undefined_file';
  elsif old_place = new_place
    or overwrite and at.id = (tusk.entry_at(new_place.folder, new_place.name)).id
  then
    return;  -- two names of one file: as rename(2)
  elsif at.kind = 'folder' and tusk.is_below(new_place.folder, at.id) then
    raise exception '% cannot be moved into itself', quote_literal(old_path)
      using errcode = 'invalid_parameter_value';
  end if;
  perform tusk.clear_target(new_path, new_place, at.kind, overwrite);
  if at.kind = 'folder' then
    update tusk.folders d
    set parent_id = new_place.folder, name = new_place.name
    where d.id = at.id;
  elsif at.is_link then
    update tusk.file_links l
    set folder_id = new_place.folder, name = new_place.name, named_at_ns = tusk.clock_ns()
    where l.folder_id = old_place.folder
      and l.name = old_place.name;
  else
    update tusk.files f
    set folder_id = new_place.folder, filename = new_place.name
    where f.id = at.id;
  end if;
end
$$;
comment on function tusk.move(text, text, boolean) is
  'Moves or renames a file or folder. new_path is the path it gets, also when that is a folder: with overwrite what is there goes to the trash, if it is of the same kind and, a folder, empty.';

create function tusk.copy_file(source uuid, folder uuid, name text)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  copied uuid := tusk.uuid_v7();
begin
  insert into tusk.files (
    id, tenant_id, folder_id, filename, size_bytes, mode, uid, gid, rdev, mtime_ns, mime_type,
    storage_type, external_url, checksum, holes, data)
  select copied, d.tenant_id, d.id, copy_file.name, f.size_bytes, f.mode, f.uid, f.gid, f.rdev,
    f.mtime_ns, f.mime_type, f.storage_type, f.external_url, f.checksum, f.holes, f.data
  from tusk.files f
  join tusk.folders d
    on d.id = copy_file.folder
    and d.tenant_id = f.tenant_id
  where f.id = source
    and f.tenant_id = tusk.current_tree();
  perform tusk.share_chunks(
    array[copied], array[0::bigint], array[1::bigint], array[f.id], array[0::bigint],
    array[f.version], array[(f.size_bytes + 65535) / 65536])
  from tusk.files f
  where f.id = source
    and f.data is null
    and f.storage_type = 'db'
    and f.size_bytes > 0;
  insert into tusk.xattrs (owner_id, name, value)
  select copied, x.name, x.value
  from tusk.xattrs x
  where x.owner_id = source;
  return copied;
end
$$;
comment on function tusk.copy_file(uuid, uuid, text) is
  'A copy of a file of this tree under a new name, with its attributes; chunks and objects are shared, not copied.';

create function tusk.copy_folder(source uuid, folder uuid, name text)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  each record;
  copied uuid;
begin
  insert into tusk.folders (tenant_id, parent_id, name, mode, uid, gid, mtime_ns)
  select d.tenant_id, copy_folder.folder, copy_folder.name, d.mode, d.uid, d.gid, d.mtime_ns
  from tusk.folders d
  where d.id = source
    and d.tenant_id = tusk.current_tree()
  returning id into copied;
  insert into tusk.xattrs (owner_id, name, value)
  select copied, x.name, x.value
  from tusk.xattrs x
  where x.owner_id = source;
  perform tusk.copy_file(e.id, copied, e.name)
  from (
    select f.id, f.filename as name
    from tusk.files f
    where f.folder_id = source
      and f.deleted_at is null
    union all
    select l.file_id, l.name
    from tusk.file_links l
    where l.folder_id = source) e;
  for each in
    select d.id, d.name
    from tusk.folders d
    where d.parent_id = source
      and d.deleted_at is null
  loop
    perform tusk.copy_folder(each.id, copied, each.name);
  end loop;
  return copied;
end
$$;
comment on function tusk.copy_folder(uuid, uuid, text) is
  'A copy of a folder of this tree with everything in it, under a new name. Further names of a file become files of their own.';

create function tusk.copy(src_path text, dst_path text, overwrite boolean default false)
returns uuid
language plpgsql
as $$
declare
  place tusk.place;
  at tusk.entry;
begin
  perform tusk.begin_write();
  at := tusk.find(src_path);
  place := tusk.place_of(dst_path);
  if (tusk.entry_at(place.folder, place.name)).id = at.id then
    raise exception '% and % are the same', quote_literal(src_path), quote_literal(dst_path)
      using errcode = 'invalid_parameter_value';
  elsif at.kind = 'folder' and tusk.is_below(place.folder, at.id) then
    raise exception '% cannot be copied into itself', quote_literal(src_path)
      using errcode = 'invalid_parameter_value';
  end if;
  perform tusk.clear_target(dst_path, place, at.kind, overwrite);
  if at.kind = 'folder' then
    return tusk.copy_folder(at.id, place.folder, place.name);
  end if;
  return tusk.copy_file(at.id, place.folder, place.name);
end
$$;
comment on function tusk.copy(text, text, boolean) is
  'Copies a file, or a folder with all in it, and answers the id of the copy; with its modes, owners, mtime and attributes, without its versions. tuskfs clone is faster for large trees.';

-- History.

create function tusk.versions(path text)
returns table (
  version bigint, size_bytes bigint, mime_type text, storage_type text, checksum bytea,
  created_at timestamptz, is_present boolean
)
language sql
stable
as $$
  with at as materialized (
    select tusk.find(path, 'file') as id
  )
  select v.version, v.size_bytes, v.mime_type, v.storage_type, v.checksum,
    tusk.ns_to_timestamp(v.content_at_ns), v.is_present
  from (
    select f.version, f.size_bytes, f.mime_type, f.storage_type, f.checksum, f.content_at_ns,
      true as is_present
    from tusk.files f
    where f.id = (select a.id from at a)
    union all
    select o.version, o.size_bytes, o.mime_type, o.storage_type, o.checksum, o.content_at_ns, false
    from tusk.file_versions o
    where o.file_id = (select a.id from at a)) v
  order by v.version
$$;
comment on function tusk.versions(text) is
  'The contents that the file at a path had and has, the oldest first.';

create function tusk.read_version(path text, version bigint)
returns bytea
language plpgsql
stable
as $$
declare
  bytes bytea := tusk.content_part(tusk.find(path, 'file'), version);
begin
  if bytes is null then
    raise exception '% has no version %', quote_literal(path), version
      using errcode = 'undefined_object', hint = 'see tusk.versions';
  end if;
  return bytes;
end
$$;
comment on function tusk.read_version(text, bigint) is
  'The bytes of a version of the file at a path. Error 42704 when there is none of this number.';

create function tusk.restore_version(path text, version bigint)
returns bigint
language plpgsql
as $$
declare
  file uuid;
  old record;
  is_now bigint;
begin
  perform tusk.begin_write();
  file := tusk.find(path, 'file');
  perform 1 from tusk.files f where f.id = file for no key update;
  select v.size_bytes, v.mime_type, v.storage_type, v.external_url into old
  from tusk.file_versions v
  where v.file_id = file
    and v.version = restore_version.version;
  if not found then
    raise exception '% has no former version %', quote_literal(path), version
      using errcode = 'undefined_object', hint = 'see tusk.versions';
  elsif old.storage_type = 'db' then
    perform tusk.check_length(old.size_bytes);
    update tusk.files f
    set data = tusk.content(f.id, restore_version.version), mime_type = old.mime_type
    where f.id = file
    returning f.version into is_now;
  else
    update tusk.files f
    set data = null, storage_type = 'external', external_url = old.external_url,
      size_bytes = old.size_bytes, holes = null, mime_type = old.mime_type
    where f.id = file
    returning f.version into is_now;
  end if;
  return is_now;
end
$$;
comment on function tusk.restore_version(text, bigint) is
  'Makes a former version the content of the file at a path, and answers the number of the version that this is. The present content becomes a version in turn.';

create function tusk.trash_list(under text default '/', before timestamptz default null)
returns table (
  trash_id uuid, original_path text, kind text, size_bytes bigint, deleted_at timestamptz,
  deleted_by bigint, purge_after timestamptz
)
language sql
stable
as $$
  select e.id, e.path, e.kind, e.size_bytes, e.deleted_at, e.deleted_by,
    e.deleted_at + p.trash_ns / 1000 * interval '1 microsecond'
  from (
    select f.id, tusk.past_path(f.id) as path, tusk.kind_of(f.mode) as kind, f.size_bytes,
      f.deleted_at, f.deleted_by, f.folder_id as place
    from tusk.files f
    where f.tenant_id = tusk.current_tree()
      and f.deleted_at is not null
      and f.deleted_by is not null
    union all
    select d.id, tusk.past_path(d.id), 'folder', 0, d.deleted_at, d.deleted_by, d.id
    from tusk.folders d
    where d.tenant_id = tusk.current_tree()
      and d.deleted_at is not null
      and d.deleted_by is not null) e
  cross join lateral tusk.policy_of(e.place) p
  where (e.deleted_at < before or before is null)
    and (e.path || '/') like
      replace(replace(replace(rtrim(under, '/') || '/', '\', '\\'), '%', '\%'), '_', '\_') || '%'
  order by e.deleted_at desc, e.path
$$;
comment on function tusk.trash_list(text, timestamptz) is
  'What is in the trash of the tree, was below a folder and was deleted before a time: the last first.';

create function tusk.trash_restore(trash_id uuid, to_path text default null)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  path text;
  place tusk.place;
begin
  perform tusk.begin_write();
  if not exists (
      select 1 from tusk.files f
      where f.id = trash_id and f.tenant_id = tusk.current_tree() and f.deleted_by is not null)
    and not exists (
      select 1 from tusk.folders d
      where d.id = trash_id and d.tenant_id = tusk.current_tree() and d.deleted_by is not null)
  then
    raise exception '% is not in the trash', trash_id
      using errcode = 'undefined_object', hint = 'see tusk.trash_list';
  end if;
  path := coalesce(to_path, tusk.past_path(trash_id));
  place := tusk.place_of(path);
  if (tusk.entry_at(place.folder, place.name)).id is not null then
    raise exception '% is there already', quote_literal(path)
      using errcode = 'duplicate_object', hint = 'give another path as to_path';
  end if;
  perform tusk.restore_trashed(trash_id, place.folder, place.name, tusk.clock_ns());
  return path;
end
$$;
comment on function tusk.trash_restore(uuid, text) is
  'Brings something of the trash back to the path it had, or to another, with its versions and all that went with it; answers the path.';

create or replace function tusk.purge_trashed(tree uuid, entry uuid)
returns text
language plpgsql
as $$
declare
  made_ns bigint;
  deleted_ns bigint;
begin
  -- Nobody waits for it in a mount; the transaction of an application is its own.
  if current_setting('tusk.driver', true) = 'on' then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  select tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at)
  into made_ns, deleted_ns
  from tusk.files f
  where f.id = entry
    and f.tenant_id = tree
    and f.deleted_at is not null
    and f.deleted_by is not null
  for update;
  if found then
    if tusk.is_in_snapshot(tree, made_ns, deleted_ns) or tusk.purge_files(array[entry]) = 0 then
      return 'in use';
    end if;
    return 'purged';
  end if;

  select tusk.timestamp_to_ns(d.created_at), tusk.timestamp_to_ns(d.deleted_at)
  into made_ns, deleted_ns
  from tusk.folders d
  where d.id = entry
    and d.tenant_id = tree
    and d.deleted_at is not null
    and d.deleted_by is not null
  for update;
  if not found then
    return 'gone';
  elsif exists (select 1 from tusk.trashed_tree(entry) t where t.id <> entry) then
    return 'not empty';
  elsif tusk.is_in_snapshot(tree, made_ns, deleted_ns) then
    return 'in use';
  elsif exists (select 1 from tusk.files f where f.folder_id = entry)
    or exists (select 1 from tusk.folders c where c.parent_id = entry)
  then
    update tusk.folders set deleted_by = null where id = entry;
  else
    perform tusk.delete_folders(array[entry]);
  end if;
  return 'purged';
end
$$;

create function tusk.trash_purge(older_than interval default null, batch integer default 1000)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  tree uuid := tusk.current_tree();
  until timestamptz := coalesce(clock_timestamp() - older_than, 'infinity');
  file_ids uuid[];
  folder_ids uuid[];
  purged bigint;
begin
  perform tusk.begin_write();
  select coalesce(array_agg(t.id), '{}') into file_ids
  from (
    select f.id
    from tusk.files f
    where f.tenant_id = tree
      and f.deleted_at <= until
      and f.deleted_by is not null
      and not tusk.is_in_snapshot(
        tree, tusk.timestamp_to_ns(f.uploaded_at), tusk.timestamp_to_ns(f.deleted_at))
    order by f.deleted_at
    limit batch
    for update skip locked) t;
  purged := tusk.purge_files(file_ids);
  select coalesce(array_agg(t.id), '{}') into folder_ids
  from (
    select d.id
    from tusk.folders d
    where d.tenant_id = tree
      and d.deleted_at <= until
      and not exists (select 1 from tusk.files f where f.folder_id = d.id)
    limit batch
    for update skip locked) t;
  select purged + count(*) into purged from tusk.folders d where d.id = any (folder_ids);
  perform tusk.purge_deleted('{}', folder_ids);
  select purged - count(*) into purged from tusk.folders d where d.id = any (folder_ids);
  return purged;
end
$$;
comment on function tusk.trash_purge(interval, integer) is
  'Removes for good what has been in the trash for longer than a time (null: all of it), but for what snapshots or rows of applications need: at most batch files and as many folders. How many; again until 0.';

create function tusk.set_retention(
  path text, trash interval, versions integer default null, version_age interval default null)
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  folder uuid;
  setting record;
begin
  perform tusk.begin_write();
  folder := tusk.find(path, 'folder');
  for setting in
    select s.key, s.value
    from (values
      ('trash', extract(epoch from trash)::bigint),
      ('versions', versions::bigint),
      ('version_age', extract(epoch from version_age)::bigint)) s(key, value)
    where s.value is not null
  loop
    if setting.value < 0 then
      raise exception '% cannot be negative', setting.key
        using errcode = 'invalid_parameter_value';
    end if;
    update tusk.tenants t
    set policy = t.policy || jsonb_build_object(setting.key, setting.value)
    where t.root_id = folder;
    continue when found;
    insert into tusk.xattrs (owner_id, name, value)
    values (folder, 'user.tusk.policy.' || setting.key, convert_to(setting.value::text, 'UTF8'))
    on conflict (owner_id, name) do update
    set value = excluded.value;
  end loop;
end
$$;
comment on function tusk.set_retention(text, interval, integer, interval) is
  'How long the trash of a folder, and of what is below it, is kept, how many versions of a file, and for how long; null leaves a setting as it is. A live mount takes up what is set at the root when it is mounted next.';

create function tusk.usage(path text default '/')
returns table (
  files bigint, folders bigint, bytes_db bigint, bytes_external bigint, bytes_versions bigint,
  bytes_trash bigint
)
language sql
stable
as $$
  with recursive below as (
    select at.id
    from tusk.find(path) at
    union all
    select d.id
    from below b
    join tusk.folders d
      on d.parent_id = b.id
      and d.parent_id <> d.id
  ), own as (
    select f.id, f.size_bytes, f.storage_type, f.deleted_at
    from below b
    join tusk.files f
      on f.folder_id = b.id
    union
    select f.id, f.size_bytes, f.storage_type, f.deleted_at
    from below b
    join tusk.files f
      on f.id = b.id
    union
    select f.id, f.size_bytes, f.storage_type, f.deleted_at
    from below b
    join tusk.file_links l
      on l.folder_id = b.id
    join tusk.files f
      on f.id = l.file_id
  )
  select
    count(*) filter (where o.deleted_at is null),
    (select count(*)
     from below b
     join tusk.folders d
       on d.id = b.id
     where d.deleted_at is null),
    coalesce(sum(o.size_bytes) filter (where o.deleted_at is null and o.storage_type = 'db'), 0)::bigint,
    coalesce(sum(o.size_bytes) filter (where o.deleted_at is null and o.storage_type <> 'db'), 0)::bigint,
    coalesce((
      select sum(v.size_bytes)
      from tusk.file_versions v
      where v.file_id in (select e.id from own e)), 0)::bigint,
    coalesce(sum(o.size_bytes) filter (where o.deleted_at is not null), 0)::bigint
  from own o
$$;
comment on function tusk.usage(text) is
  'What is at and below a path: live files and folders, and the lengths of live contents in the database and outside, of versions, and of what is in the trash. Contents that are shared count as often as they are used.';

create function tusk.on_delete_trash()
returns trigger
language plpgsql
as $$
declare
  file uuid;
begin
  if tg_nargs <> 1 or not to_jsonb(old) ? tg_argv[0] then
    raise exception 'tusk.on_delete_trash needs the column of % that holds files.id', tg_table_name
      using errcode = 'invalid_parameter_value',
        hint = 'create trigger … after delete on … for each row execute function tusk.on_delete_trash(''COLUMN'')';
  end if;
  file := (to_jsonb(old) ->> tg_argv[0])::uuid;
  update tusk.files f
  set deleted_at = clock_timestamp(), deleted_by = 0
  where f.id = file
    and f.deleted_at is null;
  return null;
end
$$;
comment on function tusk.on_delete_trash() is
  'Trigger for tables of applications, after delete for each row: the file that the deleted row named in the column given as argument goes to the trash.';
