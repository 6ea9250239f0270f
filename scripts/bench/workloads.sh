# The workloads. Each runs on $system in $round, checks what it did, and reports rates or seconds.
# Sourced by bench.sh.

all_workloads=(create create4 sustained fsync untar rmtree stat lsr lsr_cold read_cold
  seqwrite seqread randwrite sqlite gitclone gitstatus clone snapshot purge shared cacheget cacheset cachesql)

systems_of() { # WORKLOAD
  local ceilings="ceiling${asked:+ asked}"
  case $1 in
    create | create4 | untar | rmtree | stat | lsr | randwrite) echo tuskfs plain $ceilings ;;
    sustained) echo tuskfs $ceilings ;;
    fsync) echo tuskfs plain pgbench ;;
    lsr_cold | read_cold) echo tuskfs plain ;;
    seqwrite | seqread) echo tuskfs plain pgload $ceilings ;;
    sqlite | gitclone | gitstatus) echo tuskfs plain ;;
    clone | snapshot | purge | shared | cachesql) echo tuskfs ;;
    cacheget | cacheset) echo tuskfs redis ;;
  esac
}

in_turn() { # ROUND SYSTEM…: another one first in every round
  local first=$((($1 - 1) % ($# - 1)))
  shift
  echo "${@:first+1}" "${@:1:first}"
}

scaled() { awk -v n="$1" -v s="$scale" -v least="$2" 'BEGIN { v = int(n * s); print v < least ? least : v }'; }
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.6f", b - a }'; }
per_second() { awk -v n="$1" -v t="$2" 'BEGIN { printf "%.6g", n / t }'; }
place() { echo "$(dir_of "$system")/$1.$round"; }

report() { # VALUE UNIT [WORKLOAD]
  printf '{"workload":"%s","system":"%s","round":%s,"value":%s,"unit":"%s","scale":%s}\n' \
    "${3:-$workload}" "$system" "$round" "$1" "$2" "$scale" >>"$out"
}
measured() { # UNIT PROGRAM ARGUMENTS…: the program prints a count and seconds
  local unit=$1 count took result
  shift
  result=$("$build/benches/$1" "${@:2}")
  read -r count took <<<"$result"
  report "$(per_second "$count" "$took")" "$unit"
}
fsload() { "$build/benches/fsload" "$@"; }
sql() { PGOPTIONS='-c client_min_messages=warning' psql -XAtq "$dsn" -c "$1"; }
expect() { # WHAT EXPECTED GOT
  if [ "$2" != "$3" ]; then
    echo "bench: $workload on $system: $1: expected $2, got $3" >&2
    return 1
  fi
}

# What must run in bench.sh's own shell, as it starts and stops programs.
prepare() { # WORKLOAD SYSTEM
  case $1 in
    lsr_cold | read_cold | seqread)
      if [ "$1" = seqread ]; then make_big; else make_tree; fi
      if [ "$2" = tuskfs ] || [ "$2" = pgload ]; then remount_cold; else drop_caches; fi
      ;;
  esac
}

small_files() { scaled 5000 50; }
make_tree() {
  [ -d "$(place create)" ] || fsload create "$(place create)" "$(small_files)" 50 >/dev/null
}
make_tar() {
  tar=$work/tree.tar
  if [ ! -f "$tar" ]; then
    find /usr/include -type f | LC_ALL=C sort | awk -v s="$scale" 'int(NR * s) > int((NR - 1) * s)' >"$work/list"
    tar -cf "$tar" -C / --transform 's|^/*||' -P -T "$work/list"
  fi
  cat "$tar" >/dev/null
  tar_files=$(tar -tf "$tar" | wc -l)
}
make_unpacked() {
  make_tar
  [ -d "$(place untar)" ] || { mkdir "$(place untar)" && tar -xf "$tar" -C "$(place untar)"; }
}
make_big() {
  local mib
  mib=$(scaled 512 4)
  if [ "$system" = pgload ]; then
    expect "chunks" $((mib * 16)) "$(sql 'select count(*) from tusk_bench.chunks' 2>/dev/null)" 2>/dev/null ||
      "$build/benches/pgload" "$dsn" write "$mib" >/dev/null
  else
    [ -f "$(place big)" ] || fsload seqwrite "$(place big)" "$mib" >/dev/null
  fi
}
make_repository() {
  repository=$work/repository.git
  [ ! -d "$repository" ] || return 0
  local tree=$work/repository files
  files=$(scaled 1000 50)
  mkdir "$tree"
  find /usr/include -type f | LC_ALL=C sort | sed -n "1,${files}p" | tar -c -P -T - --transform 's|^/*||' | tar -x -C "$tree"
  git -C "$tree" init -q
  git -C "$tree" add -A
  git -C "$tree" -c user.name=bench -c user.email=bench@localhost commit -qm bench
  git clone -q --bare "$tree" "$repository"
}

rows_of_files() { sql 'select count(*) from tusk.files'; }
# Seconds from $1 until the database holds $2 files.
await_rows() {
  local have
  for ((i = 0; i < 3000; i++)); do
    have=$(rows_of_files)
    if [ "$have" -ge "$2" ]; then
      seconds_since "$1"
      return
    fi
    sleep 0.02
  done
  expect "rows of files" "$2" "$have"
}

create_and_follow() { # NAME PROCESSES
  local before= files
  files=$(small_files)
  if [ "$system" = tuskfs ]; then before=$(rows_of_files); fi
  measured files/s fsload create "$(place "$1")" "$files" 50 "$2"
  local closed=$EPOCHREALTIME
  if [ "$system" = tuskfs ]; then
    report "$(await_rows "$closed" $((before + files)))" s "${workload}_committed"
  fi
  fsload read "$(place "$1")" "$files" 50 >/dev/null
}
w_create() { create_and_follow create 1; }
w_create4() { create_and_follow create4 4; }

# The largest amount of dirty bytes that the driver admitted to while $1 lived.
watch_dirty() {
  local most=0 now
  while kill -0 "$1" 2>/dev/null; do
    now=$("$build/tuskfs" status --json "$(dir_of tuskfs)" | sed -n 's/.*"dirty_bytes": *\([0-9]*\).*/\1/p')
    if [ "${now:-0}" -gt "$most" ]; then most=$now; fi
    sleep 0.25
  done
  echo "$most"
}
w_sustained() {
  local files before= start loader most
  files=$(scaled 100000 500)
  if [ "$system" = tuskfs ]; then before=$(rows_of_files); fi
  start=$EPOCHREALTIME
  fsload create "$(place sustained)" "$files" 200 >/dev/null &
  loader=$!
  if [ "$system" = tuskfs ]; then
    most=$(watch_dirty "$loader")
    wait "$loader"
    await_rows "$start" $((before + files)) >/dev/null
  fi
  wait "$loader"
  report "$(per_second "$files" "$(seconds_since "$start")")" files/s
  if [ "$system" = tuskfs ]; then
    report "$(awk -v b="$most" 'BEGIN { printf "%.1f", b / 1048576 }')" MiB "${workload}_dirty"
    report "$(awk '/VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$tusk_pid/status")" MiB "${workload}_resident"
  fi
  fsload read "$(place sustained)" "$files" 200 >/dev/null
}

w_fsync() {
  local files
  files=$(scaled 2000 50)
  if [ "$system" != pgbench ]; then
    measured files/s fsload create_fsync "$(place fsync)" "$files" 10
    return
  fi
  sql 'create schema if not exists tusk_bench; drop table if exists tusk_bench.rows;
       create table tusk_bench.rows (id uuid primary key default gen_random_uuid(), data bytea not null);
       alter table tusk_bench.rows alter column data set storage external'
  echo "insert into tusk_bench.rows (data) values (decode(repeat(md5(random()::text), 256), 'hex'));" >"$work/insert.sql"
  report "$($(pgbench_program) -n -M prepared -c 1 -t "$files" -f "$work/insert.sql" "$dsn" 2>/dev/null |
    sed -n 's/^tps = \([0-9.]*\).*/\1/p')" files/s
  sql 'drop table tusk_bench.rows'
}
pgbench_program() { command -v pgbench || ls /usr/lib/postgresql/*/bin/pgbench | tail -1; }

w_untar() {
  local start
  make_tar
  mkdir "$(place untar)"
  start=$EPOCHREALTIME
  tar -xf "$tar" -C "$(place untar)"
  report "$(per_second "$tar_files" "$(seconds_since "$start")")" files/s
  tar -df "$tar" -C "$(place untar)"
}
w_rmtree() {
  local start
  make_unpacked
  settle
  start=$EPOCHREALTIME
  rm -rf "$(place untar)"
  report "$(per_second "$tar_files" "$(seconds_since "$start")")" files/s
  expect "remains" 0 "$(find "$(place untar)" 2>/dev/null | wc -l)"
}

# Warm passes over a tree are short: several of them, and the first is not counted.
w_stat() {
  local passes=10 files
  files=$(small_files)
  make_tree
  local total=0 took
  for ((pass = 0; pass <= passes; pass++)); do
    read -r _ took <<<"$(fsload stat "$(place create)" "$files" 50)"
    [ "$pass" = 0 ] || total=$(awk -v a="$total" -v b="$took" 'BEGIN { print a + b }')
  done
  report "$(per_second $((files * passes)) "$total")" files/s
}
list_tree() { expect "files listed" "$(small_files)" "$(ls -lR "$(place create)" | grep -c '^-')"; }
w_lsr() {
  local passes=5 start
  make_tree
  list_tree
  start=$EPOCHREALTIME
  for ((pass = 0; pass < passes; pass++)); do list_tree; done
  report "$(per_second $((passes * $(small_files))) "$(seconds_since "$start")")" entries/s
}
w_lsr_cold() {
  local start=$EPOCHREALTIME
  list_tree
  report "$(per_second "$(small_files)" "$(seconds_since "$start")")" entries/s
}
w_read_cold() { measured files/s fsload read "$(place create)" "$(small_files)" 50; }

w_seqwrite() {
  if [ "$system" = pgload ]; then
    measured MiB/s pgload "$dsn" write "$(scaled 512 4)"
  else
    measured MiB/s fsload seqwrite "$(place big)" "$(scaled 512 4)"
  fi
}
w_seqread() {
  if [ "$system" = pgload ]; then
    measured MiB/s pgload "$dsn" read "$(scaled 512 4)"
  else
    measured MiB/s fsload seqread "$(place big)" "$(scaled 512 4)"
  fi
}
w_randwrite() {
  local mib writes
  mib=$(scaled 64 4)
  writes=$(scaled 200000 1000)
  fsload seqwrite "$(place random)" "$mib" >/dev/null
  settle
  measured ops/s fsload randwrite "$(place random)" "$mib" "$writes"
  fsload randcheck "$(place random)" "$mib" "$writes" >/dev/null
}

w_sqlite() {
  local rows start database
  rows=$(scaled 500 20)
  database=$(place sqlite)
  sqlite3 "$database" 'create table t (id integer primary key, v blob)'
  { for ((i = 0; i < rows; i++)); do echo 'insert into t (v) values (randomblob(1000));'; done; } >"$work/rows.sql"
  start=$EPOCHREALTIME
  sqlite3 "$database" <"$work/rows.sql"
  report "$(per_second "$rows" "$(seconds_since "$start")")" tx/s
  expect integrity "ok $rows" "$(sqlite3 "$database" 'pragma integrity_check') $(sqlite3 "$database" 'select count(*) from t')"
}
clone() { git clone -q --no-hardlinks "$repository" "$(place clone)"; }
w_gitclone() {
  local start
  make_repository
  start=$EPOCHREALTIME
  clone
  report "$(seconds_since "$start")" s
  git -C "$(place clone)" fsck --no-progress >/dev/null
}
w_gitstatus() {
  local start
  make_repository
  [ -d "$(place clone)" ] || clone
  start=$EPOCHREALTIME
  expect "git status" "" "$(git -C "$(place clone)" status --porcelain)"
  report "$(seconds_since "$start")" s
}

# History.
w_clone() {
  local files start
  files=$(scaled 10000 50)
  fsload create "$(place cloned)" "$files" 50 >/dev/null
  sync "$(dir_of tuskfs)"
  start=$EPOCHREALTIME
  "$build/tuskfs" clone "$(place cloned)" "$(place clone)"
  report "$(seconds_since "$start")" s
  fsload read "$(place clone)" "$files" 50 >/dev/null
}
w_snapshot() {
  local start
  sync "$(dir_of tuskfs)"
  start=$EPOCHREALTIME
  "$build/tuskfs" snapshot create "bench$round" "$(dir_of tuskfs)" >/dev/null
  report "$(seconds_since "$start")" s
  "$build/tuskfs" snapshot remove "bench$round" "$(dir_of tuskfs)" >/dev/null
}
# Two mounts of one tree, both in use, on a server that does not wait for its disk.
shared_load() { # PROCESSES UNIT NAME
  local files count took result
  files=$(scaled 2000 50)
  result=$(fsload create "$(place "$3")" "$files" 50 "$1")
  read -r count took <<<"$result"
  report "$(per_second "$count" "$took")" "$2" "$3"
}
w_shared() {
  local second=$work/second pid looker
  mkdir -p "$second"
  sql 'alter system set fsync = off' >/dev/null
  sql 'select pg_reload_conf()' >/dev/null
  "$build/tuskfs" mount -f --data-dir "$work/data" --log-file "$work/second.log" "$second" &
  pid=$!
  await_mount "$second" "$pid"
  (while ls "$second" >/dev/null 2>&1; do sleep 0.5; done) &
  looker=$!
  shared_load 1 files/s shared
  shared_load 4 files/s shared4
  mkdir "$(place shows)"
  report "$(python3 "$here/bench/shows.py" "$(place shows)" "$second/shows.$round" "$(scaled 300 20)")" s shared_shows
  kill "$looker"
  wait "$looker" || true
  unmount "$second"
  wait "$pid"
  sql 'alter system reset fsync' >/dev/null
  sql 'select pg_reload_conf()' >/dev/null
}
# Trashed files that go for good, all at once.
w_purge() {
  local files start tenants
  files=$(scaled 40000 100)
  fsload create "$(place purged)" "$files" 50 >/dev/null
  rm -rf "$(place purged)"
  sync "$(dir_of tuskfs)"
  tenants="update tusk.tenants set policy = jsonb_set(coalesce(policy, '{}'), '{trash}',"
  sql "$tenants '0')" >/dev/null
  start=$EPOCHREALTIME
  "$build/tuskfs" gc "$(dir_of tuskfs)" >/dev/null
  report "$(per_second "$files" "$(seconds_since "$start")")" files/s
  sql "$tenants '2592000')" >/dev/null
  expect "rows in the trash" 0 "$(sql 'select count(*) from tusk.trash')"
}

# The cache, by one client, values of 200 bytes.
cache_load() { # get|set
  if [ "$system" = redis ]; then
    measured ops/s cacheload redis "$1" "$work/redis/socket" "$(scaled 20000 500)"
  else
    measured ops/s cacheload mount "$1" "$(dir_of tuskfs)/.tusk/cache" "$(scaled 20000 500)"
  fi
}
w_cacheget() { cache_load get; }
w_cacheset() { cache_load set; }

# The same by SQL: one client, 10,000 keys and sessions, the mount listening to what changes. How long
# 95 of 100 calls take at most.
call_p95() { # NAME STATEMENT: :n is 1 to 10,000
  local calls=$work/calls
  printf '\\set n random(1, 10000)\nselect %s;\n' "$2" >"$work/call.sql"
  "$(pgbench_program)" -n -c 1 -t "$(scaled 5000 200)" -f "$work/call.sql" -l --log-prefix="$calls" "$dsn" >/dev/null 2>&1
  report "$(awk '{ print $3 }' "$calls".* | sort -n |
    awk '{ took[NR] = $1 } END { printf "%.3f", took[int(NR * 0.95 + 0.5)] / 1000 }')" ms "${workload}_$1"
  rm "$calls".*
}
w_cachesql() {
  echo up >"$(dir_of tuskfs)/.tusk/cache/warm" # makes the schema
  sync "$(dir_of tuskfs)/.tusk/cache/warm"
  sql "select tusk_cache.mset((select jsonb_object_agg('key:' || i, repeat('v', 200)) from generate_series(1, 10000) i));
       insert into tusk_cache.sessions (sid_hash, user_id, data, expires_at)
       select tusk_cache.sid_hash('token:' || i), 'user:' || i, '{\"cart\": [1, 2, 3]}', now() + interval '1 day'
       from generate_series(1, 10000) i on conflict do nothing;
       select tusk_cache.flag_set('bench', true, 50)" >/dev/null
  sql "vacuum analyze tusk_cache.cache, tusk_cache.sessions"
  call_p95 get "tusk_cache.get('key:' || :n)"
  call_p95 set "tusk_cache.set('key:' || :n, to_jsonb(repeat('w', 200)))"
  call_p95 session "tusk_cache.session_get('token:' || :n)"
  call_p95 flag "tusk_cache.flag_enabled('bench', 'user:' || :n)"
  expect "keys that changed" t "$(sql "select count(*) > 0 from tusk_cache.cache c where c.value = to_jsonb(repeat('w', 200))")"
}
