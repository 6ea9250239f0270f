-- name: tree_migrations_applied
-- Attach: one row a migration of the tree's schema.
select
  m.version::int8,
  m.name,
  m.checksum,
  to_char(m.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from tusk.schema_migrations m
order by m.version

-- name: migrate_in
-- The migrator, once a session: the schema whose migrations it runs. The statements below that name
-- no schema are about its table schema_migrations.
select set_config('search_path', $1::text, false)

-- name: schema_exists
-- The migrator: one row.
select to_regnamespace($1::text) is not null,
  to_regclass($1::text || '.schema_migrations') is not null

-- name: create_schema_tusk
-- The migrator, once in a database's life; so the next two.
create schema tusk

-- name: create_schema_tusk_cache
create schema tusk_cache

-- name: create_schema_tusk_stats
create schema tusk_stats

-- name: comment_on_schema_tusk
comment on schema tusk is 'TuskFS: a filesystem in this database. Start at tusk.files and tusk.folders.'

-- name: comment_on_schema_tusk_cache
comment on schema tusk_cache is
  'TuskFS: cache, sessions, rate limits and feature flags. Start at tusk_cache.get and tusk_cache.set.'

-- name: comment_on_schema_tusk_stats
comment on schema tusk_stats is
  'TuskFS: how this database fares. Start at tusk_stats.health.'

-- name: migrations_applied
-- The migrator: one row a migration.
select
  m.version::int8,
  m.name,
  m.checksum,
  to_char(m.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from schema_migrations m
order by m.version

-- name: create_schema_migrations
create table schema_migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
)

-- name: comment_on_schema_migrations
comment on table schema_migrations is
  'The migrations applied to this schema; checksum is the SHA-256 of the file that ran.'

-- name: migration_limits
-- The migrator, at the start of each step: fail soon rather than queue behind a long transaction.
select
  set_config('lock_timeout', '10s', true),
  set_config('statement_timeout', '0', true),
  pg_advisory_xact_lock(hashtextextended('tuskfs migrate', 0))

-- name: record_migration
insert into schema_migrations (version, name, checksum)
values ($1::int8, $2::text, $3::text)

-- name: forget_migration
delete from schema_migrations
where version = $1::int8
