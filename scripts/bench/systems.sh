# What is measured, started and stopped. Sourced by bench.sh, which sets work, build and asked.

tusk_pid= ceiling_pid= asked_pid= redis_pid=

dir_of() { # SYSTEM
  echo "$work/$1"
}

can_drop_caches() { [ -w /proc/sys/vm/drop_caches ]; }

await_mount() { # DIR PID
  for ((i = 0; i < 600; i++)); do
    if mountpoint -q "$1"; then return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  echo "bench: nothing was mounted on $1" >&2
  if [ -f "$work/log" ]; then tail -3 "$work/log" >&2; fi
  return 1
}

unmount() { # DIR
  if [ "$(id -u)" = 0 ]; then umount "$1"; else fusermount3 -u "$1"; fi
}

start_tusk() {
  "$build/tuskfs" mount -f --data-dir "$work/data" --log-file "$work/log" "$(dir_of tuskfs)" &
  tusk_pid=$!
  await_mount "$(dir_of tuskfs)" "$tusk_pid"
}

stop_tusk() {
  unmount "$(dir_of tuskfs)"
  wait "$tusk_pid"
  tusk_pid=
}

start_systems() {
  mkdir "$work/tuskfs" "$work/plain" "$work/ceiling" "$work/asked"
  start_tusk
  dsn=$("$build/tuskfs" dsn --data-dir "$work/data")
  "$build/benches/ceiling" "$(dir_of ceiling)" &
  ceiling_pid=$!
  await_mount "$(dir_of ceiling)" "$ceiling_pid"
  start_redis
  [ -n "$asked" ] || return 0
  "$build/benches/ceiling" --asked-as-tuskfs "$(dir_of asked)" &
  asked_pid=$!
  await_mount "$(dir_of asked)" "$asked_pid"
}

# As a cache is run: changes are appended to a file that nobody waits for. Debian's redis-tools has the
# server under another name, and starts no service.
start_redis() {
  [[ " ${workloads[*]} " == *" cache"* ]] || return 0
  mkdir -m 700 "$work/redis"
  (cd "$work/redis" && exec -a redis-server redis-check-rdb --port 0 --unixsocket "$work/redis/socket" \
    --dir "$work/redis" --appendonly yes --appendfsync no --save "" >"$work/redis/log") &
  redis_pid=$!
  for ((i = 0; i < 100; i++)); do
    [ ! -S "$work/redis/socket" ] || return 0
    sleep 0.1
  done
  echo "bench: no Redis server came up" >&2
  return 1
}

drop_caches() {
  sync
  if can_drop_caches; then echo 3 >/proc/sys/vm/drop_caches; fi
}

# A mount and a server that have cached nothing.
remount_cold() {
  stop_tusk
  drop_caches
  start_tusk
}

# Waits for what earlier work left to be done.
settle() {
  sync "$(dir_of tuskfs)"
  sync
}

# The folders of a round are no use to the next one. Plain ones stay: ext4 gets slow after many removals.
forget_round() {
  rm -rf "$(dir_of tuskfs)"/* "$(dir_of ceiling)"/* "$(dir_of asked)"/*
}

# However it ended: mounts first, as their programs then end by themselves.
clean_up() {
  trap - EXIT INT TERM HUP
  set +e
  local dir pid
  for dir in "$work/tuskfs" "$work/ceiling" "$work/asked"; do
    if grep -qF " $dir " /proc/self/mounts; then umount -l "$dir" 2>/dev/null || fusermount3 -uzq "$dir" 2>/dev/null; fi
  done
  [ -z "$redis_pid" ] || kill "$redis_pid"
  for pid in $tusk_pid $ceiling_pid $asked_pid $redis_pid; do
    for ((i = 0; i < 300; i++)); do
      kill -0 "$pid" 2>/dev/null || break
      if [ "$i" = 100 ]; then kill -TERM "$pid"; fi
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
  done
  # The server stops with its last mount; it is left only when that went wrong.
  pid=$(head -1 "$work/data/cluster/postmaster.pid" 2>/dev/null)
  if [ -n "$pid" ]; then kill -QUIT "$pid" && sleep 2; fi
  rm -rf --one-file-system "$work"
}
