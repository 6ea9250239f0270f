-- name: migrations_applied
-- The migrator and attach: one row a migration.
select
  m.version::int8,
  m.name,
  m.checksum,
  to_char(m.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from tusk.schema_migrations m
order by m.version

-- name: schema_exists
-- The migrator: one row.
select to_regnamespace('tusk') is not null, to_regclass('tusk.schema_migrations') is not null

-- name: create_schema
-- The migrator, once in a database's life.
create schema tusk

-- name: comment_on_schema
comment on schema tusk is 'TuskFS: a filesystem in this database. Start at tusk.files and tusk.folders.'

-- name: create_schema_migrations
create table tusk.schema_migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
)

-- name: comment_on_schema_migrations
comment on table tusk.schema_migrations is
  'The migrations applied to this schema; checksum is the SHA-256 of the file that ran.'

-- name: migration_limits
-- The migrator, at the start of each step: fail soon rather than queue behind a long transaction.
select
  set_config('lock_timeout', '10s', true),
  set_config('statement_timeout', '0', true),
  pg_advisory_xact_lock(hashtextextended('tuskfs migrate', 0))

-- name: record_migration
insert into tusk.schema_migrations (version, name, checksum)
values ($1::int8, $2::text, $3::text)

-- name: forget_migration
delete from tusk.schema_migrations
where version = $1::int8
