#!/usr/bin/env bash
# sweep.sh: reads what a test program has begun, a line each: "folder PATH", "driver PID". Once that
# program has ended, killed or not, what it left goes: drivers, mounts, servers and folders.
set -u
folders=() drivers=()
while read -r kind what; do
  case $kind in
    folder) folders+=("$what") ;;
    driver) drivers+=("$what") ;;
  esac
done

left=()
for folder in "${folders[@]}"; do
  if [ -e "$folder" ]; then left+=("$folder"); fi
done
if [ ${#left[@]} = 0 ]; then exit 0; fi

is_driver() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = tuskfs ]; }
is_server() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = postgres ]; }
any() { # TEST PID…
  local test=$1 pid
  for pid in "${@:2}"; do
    if "$test" "$pid"; then return 0; fi
  done
  return 1
}
end() { # TEST SIGNAL SECONDS PID…: asks, waits, then kills
  local test=$1 signal=$2 seconds=$3 pid
  shift 3
  for pid in "$@"; do
    if "$test" "$pid"; then kill "-$signal" "$pid"; fi
  done
  for ((i = 0; i < seconds * 5; i++)); do
    if ! any "$test" "$@"; then return; fi
    sleep 0.2
  done
  for pid in "$@"; do
    if "$test" "$pid"; then kill -KILL "$pid"; fi
  done
}

end is_driver TERM 5 "${drivers[@]}"
# By the kernel's list alone: a mount whose driver is dead, or hangs, is not to be asked anything.
while read -r _ _ _ _ mountpoint _; do
  for folder in "${left[@]}"; do
    if [[ $mountpoint == "$folder"/* ]]; then
      umount -l "$mountpoint" 2>/dev/null || fusermount3 -uz "$mountpoint" 2>/dev/null
    fi
  done
done </proc/self/mountinfo

servers=()
for folder in "${left[@]}"; do
  while read -r file; do
    if read -r pid <"$file"; then servers+=("$pid"); fi
  done < <(find "$folder" -maxdepth 4 -name postmaster.pid 2>/dev/null)
done
end is_server QUIT 10 "${servers[@]}"
rm -rf "${left[@]}"
