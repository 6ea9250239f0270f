#!/bin/bash
# Tests sql/cache and sql/migrations on a PostgreSQL of its own, which is gone afterwards.
# Needs pgTAP and pg_prove (Debian: postgresql-15-pgtap). PG_BIN names the server's programs, TUSKFS the
# program that makes the views of tusk_stats: without it their roles are not tested.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sql=$(cd "$here/../../sql/cache" && pwd)
tree=$(cd "$here/../../sql/migrations" && pwd)
checks=$(cd "$here/../../sql/checks" && pwd)
bin=${PG_BIN:-/usr/lib/postgresql/$(ls /usr/lib/postgresql | sort -n | tail -1)/bin}
work=$(mktemp -d /tmp/tusk-sql.XXXXXX)
export PGHOST=$work PGUSER=postgres PGDATABASE=cache_test PGOPTIONS=--client-min-messages=warning

# The server does not run as root.
as_server() { if [ "$(id -u)" = 0 ]; then su postgres -c "$*"; else bash -c "$*"; fi; }
start() { as_server "$bin/pg_ctl -s -w -D $work/data -l $work/log -o \"-k $work -c listen_addresses=''\" start"; }
stop() { as_server "$bin/pg_ctl -s -w -D $work/data -m $1 stop"; }
finish() { stop immediate 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT
quietly() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }
failed() { echo "FAILED: $*" >&2; exit 1; }
expect() { [ "$2" = "$3" ] || failed "$1: expected $2, not $3"; echo "ok: $1"; }

if [ "$(id -u)" = 0 ]; then chown postgres "$work"; fi
as_server "$bin/initdb -D $work/data -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null"
start
createdb "$PGDATABASE"
quietly -c 'create schema tusk_cache'

# Up, down, up: nothing is left, nothing differs.
left() {
  quietly -c "select count(*) from pg_depend where refclassid = 'pg_namespace'::regclass
    and refobjid = 'tusk_cache'::regnamespace"
}
cache_up() { for each in "$sql"/*.up.sql; do quietly -1 -f "$each"; done; }
cache_down() { for each in $(ls -r "$sql"/*.down.sql); do quietly -1 -f "$each"; done; }
cache_up
pg_dump -n tusk_cache | grep -v '^\\' >"$work/first"
cache_down
expect "down leaves nothing" 0 "$(left)"
cache_up
pg_dump -n tusk_cache | grep -v '^\\' >"$work/second"
cmp "$work/first" "$work/second" || failed "up after down makes another schema"
echo "ok: up, down, up"

# A database whose owner may not make roles: the first time they are missing.
quietly -d postgres -c 'create role plain login' -c 'create database plain owner plain'
(
  export PGDATABASE=plain
  quietly -c 'alter role tusk_reader rename to tusk_reader_away'
  PGUSER=plain quietly -c 'create schema tusk_cache'
  PGUSER=plain cache_up
  expect "works without the right to make roles" 7 \
    "$(PGUSER=plain quietly -c "select tusk_cache.incr('n', 7)")"
  PGUSER=plain cache_down
  quietly -c 'alter role tusk_reader_away rename to tusk_reader'
)

pg_prove -q "$here/cache_test.sql"

psql -X -v ON_ERROR_STOP=1 -f "$here/cache_feed.sql" |
  sed -nE 's/^== (.*)/\1/p; s/^Asynchronous notification "tusk_cache" with payload "(.*)" received.*/  \1/p' >"$work/feed"
diff "$here/cache_feed.expected" "$work/feed" || failed "the change feed"
echo "ok: change feed"

# Many at once: nothing is lost, nothing is let through twice, nobody waits in a circle.
at_once() { pgbench -n -c 8 -j 2 -t "$1" -f - >"$work/bench" 2>&1 || { cat "$work/bench"; failed "$2"; }; }
at_once 250 "incr at once" <<<"select tusk_cache.incr('together');"
expect "2,000 incr by 8 clients" 2000 "$(quietly -c "select tusk_cache.get('together')")"
at_once 25 "append at once" <<<"select tusk_cache.append('log', 'x');"
expect "200 append by 8 clients" 200 "$(quietly -c "select length(tusk_cache.get_bytes('log'))")"
quietly -c "create table let_through (by text)"
at_once 50 "throttle at once" <<<"insert into let_through
  select 'gcra' from tusk_cache.throttle('b', 'k', 99, 1, '1 day') where allowed;"
at_once 50 "rate_hit at once" <<<"insert into let_through
  select 'fixed' from tusk_cache.rate_hit('b', 'l', 100, '2000000 days') where allowed;"
expect "100 of 400 let through by each limit" "fixed 100,gcra 100" "$(quietly -c "
  select string_agg(by || ' ' || n, ',' order by by) from (select by, count(*) n from let_through group by by) x")"
quietly -c "select tusk_cache.set('prize', '1')" >/dev/null
at_once 5 "getdel at once" <<<"insert into let_through select 'prize' where tusk_cache.getdel('prize') is not null;"
expect "one of 40 getdel gets it" 1 "$(quietly -c "select count(*) from let_through where by = 'prize'")"
at_once 200 "mset, del, rename, sweep at once" <<'SQL'
\set a random(1, 9)
\set b random(1, 9)
select tusk_cache.mset(jsonb_build_object('m' || :a, 1, 'm' || :b, 2, 'm' || (:a + :b) % 9, 3), '1 microsecond');
select tusk_cache.del('m' || :b, 'm' || :a, 'm5');
select tusk_cache.rename('m' || :a, 'm' || :b);
select tusk_cache.sweep();
SQL
echo "ok: mset, del, rename, sweep by 8 clients"

# A crash empties the cache and nothing else.
quietly -c "select tusk_cache.set('a', '1'), tusk_cache.flag_set('f', true),
  tusk_cache.session_create('ann', '{}')" >/dev/null
stop immediate
start
expect "cache, sessions, flags after a crash" "0|1|1" "$(quietly -c "select (select count(*) from tusk_cache.cache),
  (select count(*) from tusk_cache.sessions), (select count(*) from tusk_cache.feature_flags)")"
expect "the cache works after a crash" t "$(quietly -c "select tusk_cache.set('a', '1')")"
quietly -c "select tusk_cache.sweep()" >/dev/null

# The statistics: who may see and change what.
if [ -n "${TUSKFS:-}" ]; then
  createdb stats_test
  "$TUSKFS" sidecar --install "host=$PGHOST user=$PGUSER dbname=stats_test" >/dev/null
  PGDATABASE=stats_test pg_prove -q "$here/stats_roles_test.sql"
fi

# The tree: what SQL clients may do to it leaves nothing that fsck would find.
createdb tree_test
export PGDATABASE=tree_test
quietly -c 'create schema tusk'
up() { for each in "$tree"/*.up.sql; do quietly -1 -f "$each"; done; }
sound() { for each in "$checks"/*.sql; do expect "$(basename "$each" .sql)" "" "$(quietly -f "$each")"; done; }
up
pg_dump -n tusk | grep -v '^\\' >"$work/first"
for each in $(ls -r "$tree"/*.down.sql); do quietly -1 -f "$each"; done
expect "down leaves nothing of the tree" 0 "$(quietly -c "select count(*) from pg_depend
  where refclassid = 'pg_namespace'::regclass and refobjid = 'tusk'::regnamespace")"
up
pg_dump -n tusk | grep -v '^\\' >"$work/second"
cmp "$work/first" "$work/second" || failed "up after down makes another tree"
echo "ok: up, down, up of the tree"
quietly -c "insert into tusk.tenants (name, root_id) values ('default', tusk.uuid_v7())" \
  -c "insert into tusk.mounts (tenant_id) select id from tusk.tenants"
pg_prove -q "$here/tree_test.sql"
sound
# Trees apart and within their quotas, whether a superuser owns them or somebody who is none.
for owner in postgres plain; do
  createdb -O "$owner" "tenants_$owner"
  export PGDATABASE=tenants_$owner
  PGUSER=$owner quietly -c 'create schema tusk'
  PGUSER=$owner up
  pg_prove -q "$here/tenants_test.sql" "$here/quota_test.sql"
  # A tree that nobody has used yet has no root.
  quietly -c "select tusk.set_tenant(t.name), tusk.make_folder('/first') from tusk.tenants t
    where not exists (select from tusk.folders d where d.id = t.root_id)" >/dev/null
  # Eight clients at once get what there is, and not a byte more, at either isolation.
  quietly -c "select tusk.set_quota('full', 170600)" >/dev/null
  at_once 30 "a quota at once" <<'SQL'
\set exact random(0, 1)
do $$ begin perform tusk.set_tenant('full'); end $$;
\if :exact
begin isolation level repeatable read;
\else
begin;
\endif
do $$
begin
  perform tusk.write_file('/many/' || gen_random_uuid(), repeat('x', 1000)::bytea, create_parents => true);
exception when configuration_limit_exceeded or serialization_failure then
  null;
end $$;
commit;
SQL
  expect "a quota of 170,600 bytes at once" "170600 true" "$(quietly -c "select bytes || ' ' ||
    (bytes = live_bytes and files = live_files and folders = live_folders) from tusk.check_usage('full')")"
  sound
done
echo "All passed."
