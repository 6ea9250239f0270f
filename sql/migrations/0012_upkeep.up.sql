-- What was done for the trees' safety, as alerts tell of it: backups, and looks for what is broken.

create table tusk.backups (
  id bigint generated always as identity primary key,
  kind text not null,
  location text not null,
  bytes bigint,
  started_at timestamptz,
  finished_at timestamptz not null default now(),
  ok boolean not null,
  detail jsonb not null default '{}'
);
comment on table tusk.backups is
  'Backups of this database: tuskfs backup writes a row at its end, other programs by tusk.record_backup(). The rows are about backups that may be gone since.';
comment on column tusk.backups.id is 'Rises with time.';
comment on column tusk.backups.kind is 'What made it: tuskfs, or what the caller of tusk.record_backup() says.';
comment on column tusk.backups.location is 'Where it is, as seen from the machine that made it.';
comment on column tusk.backups.bytes is 'How large it is; null: not known, or it failed.';
comment on column tusk.backups.started_at is 'When it was begun; null: not known.';
comment on column tusk.backups.finished_at is 'When it ended, well or not.';
comment on column tusk.backups.ok is 'Whether it is whole.';
comment on column tusk.backups.detail is 'Further facts; error: why it failed.';

create table tusk.checkups (
  id bigint generated always as identity primary key,
  tenant_id uuid not null references tusk.tenants (id) on delete cascade,
  finished_at timestamptz not null default now(),
  scrubbed boolean not null,
  errors bigint not null,
  missing bigint not null
);
comment on table tusk.checkups is
  'What tuskfs fsck found: a row a tree for each time it looked, and at least the last one of each tree.';
comment on column tusk.checkups.id is 'Rises with time.';
comment on column tusk.checkups.tenant_id is 'The tree: tusk.tenants(id).';
comment on column tusk.checkups.finished_at is 'When fsck was done.';
comment on column tusk.checkups.scrubbed is 'Whether every content was read and its checksum verified.';
comment on column tusk.checkups.errors is 'Findings of the tree that were left.';
comment on column tusk.checkups.missing is 'Of these: contents that are not there.';
create index checkups_tenant on tusk.checkups (tenant_id, id);

create function tusk.record_backup(
  kind text,
  location text,
  bytes bigint,
  started_at timestamptz,
  finished_at timestamptz,
  ok boolean,
  detail jsonb default '{}'
)
returns bigint
language sql
as $$
  insert into tusk.backups (kind, location, bytes, started_at, finished_at, ok, detail)
  values (kind, location, bytes, started_at, coalesce(finished_at, clock_timestamp()), ok, detail)
  returning id
$$;
comment on function tusk.record_backup(text, text, bigint, timestamptz, timestamptz, boolean, jsonb) is
  'Notes a backup of this database that another program than tuskfs has made, for the alert about their age; its number.';

-- For the alert about files above 100 MiB in the database: they have this chunk. Small ones cost nothing
-- here, and no update of a row has a column of it to change.
create index chunks_large
  on tusk.file_chunks (file_id)
  where chunk_no = 1600;

-- Of the whole database, not of one tree.
do $$
declare
  each text;
begin
  foreach each in array array['backups', 'checkups'] loop
    execute format('alter table tusk.%I enable row level security, force row level security', each);
    execute format(
      'create policy one_tree on tusk.%I
       using ((select has_table_privilege(''tusk.mounts''::regclass, ''update'')))', each);
  end loop;
end
$$;

revoke all on tusk.backups, tusk.checkups from public;
revoke execute on function
  tusk.record_backup(text, text, bigint, timestamptz, timestamptz, boolean, jsonb) from public;

-- Where the roles are made already (see tusk.make_roles).
do $$
begin
  if exists (select from pg_catalog.pg_roles r where r.rolname = 'tusk_admin')
    and has_schema_privilege('tusk_admin', 'tusk', 'usage')
  then
    grant select, insert, update, delete on tusk.backups, tusk.checkups to tusk_admin;
    grant execute on function
      tusk.record_backup(text, text, bigint, timestamptz, timestamptz, boolean, jsonb) to tusk_admin;
  end if;
end
$$;
