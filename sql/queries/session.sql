-- name: session_settings
-- Every connection, once: what the driver relies on, whatever the role or database sets. The planner
-- is held to key access, as generic plans made on empty tables would scan them for ever after.
select
  set_config('tusk.driver', 'on', false),
  set_config('search_path', '', false),
  set_config('timezone', 'UTC', false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('enable_seqscan', 'off', false),
  set_config('enable_hashjoin', 'off', false),
  set_config('enable_mergejoin', 'off', false),
  set_config('enable_bitmapscan', 'off', false),
  set_config('jit', 'off', false),
  set_config('work_mem', '32MB', false),
  set_config('lock_timeout', '5s', false),
  set_config('statement_timeout', '60s', false),
  set_config('idle_in_transaction_session_timeout', '60s', false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('default_transaction_read_only', 'off', false),
  set_config(
    'synchronous_commit',
    case current_setting('synchronous_commit') when 'off' then 'on'
      else current_setting('synchronous_commit') end,
    false),
  (select set_config(s.name, '0', false)
   from pg_catalog.pg_settings s
   where s.name = 'idle_session_timeout')

-- name: server_identity
-- Every connection, before anything else: who answers, whether it takes writes, and on which timeline
-- it writes. One row; a server that does not know these functions is too old anyway.
select
  pg_backend_pid()::int8,
  pg_is_in_recovery(),
  case
    when pg_is_in_recovery() then 0
    else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int8
  end

-- name: server_facts
-- Every connection, once: one row of what decides whether the driver can work here.
select
  current_setting('server_version_num')::int8,
  current_setting('server_version'),
  current_setting('server_encoding'),
  pg_is_in_recovery()

-- name: backend
-- First connection through a pooler, some times: whose backend it has now.
select pg_backend_pid()

-- name: begin
begin

-- name: commit
commit

-- name: rollback
rollback

-- name: savepoint
savepoint part

-- name: release_savepoint
release savepoint part

-- name: rollback_to_savepoint
rollback to savepoint part
