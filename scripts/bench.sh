#!/usr/bin/env bash
# scripts/bench.sh [--rounds N] [--scale S] [--build DIR] [--out FILE] [--asked] [WORKLOAD…]
# Runs the same workloads in turns on a TuskFS mount with a private PostgreSQL, on a plain folder, on
# the ceiling (a FUSE filesystem that only answers from memory) and on PostgreSQL itself. Prints a
# table in Markdown; one line of JSON a measurement goes to FILE.
#
#   --rounds N   rounds of all workloads (3); the table shows medians, and medians of each round's ratios
#   --scale S    multiplies counts and sizes (1)
#   --build DIR  programs built before; without it the release build is made
#   --out FILE   measurements (bench.jsonl in the current folder, made anew)
#   --asked      measures a second ceiling too, which is sent the requests that TuskFS is sent
# Everything else lives in a folder under $TMPDIR (/var/tmp) that goes away at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/packages.sh"
source "$here/bench/systems.sh"
source "$here/bench/workloads.sh"

rounds=3 scale=1 build= out=$PWD/bench.jsonl asked= workloads=()
usage() {
  sed -n '2,13s/^# \?//p' "${BASH_SOURCE[0]}" >&2
  echo "Workloads: ${all_workloads[*]}" >&2
  exit "$1"
}
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=${2:?}; shift ;;
    --scale) scale=${2:?}; shift ;;
    --build) build=$(realpath "${2:?}"); shift ;;
    --out) out=$(realpath -m "${2:?}"); shift ;;
    --asked) asked=1 ;;
    -h | --help) usage 0 ;;
    -*) usage 2 ;;
    *) declare -F "w_$1" >/dev/null || usage 2; workloads+=("$1") ;;
  esac
  shift
done
[ ${#workloads[@]} -gt 0 ] || workloads=("${all_workloads[@]}")

if [ -z "$build" ]; then
  build=$(realpath -m "$here/../build")
  install_missing "${build_packages[@]}" python3 sqlite3 git tar redis-tools >&2
  (cd "$here/.." && cmake --preset release -DTUSKFS_TESTS=OFF -DTUSKFS_BENCHES=ON >&2 &&
    cmake --build --preset release -j "$(build_jobs)" >&2)
fi
ensure_fuse_device

work=$(mktemp -d "${TMPDIR:-/var/tmp}/tuskfs-bench-XXXXXX")
chmod 755 "$work" # the server runs as a user of its own
trap clean_up EXIT
trap 'say interrupted; exit 130' INT
trap 'say ended by a signal; exit 143' TERM HUP
: >"$out"
can_drop_caches || say "only root can drop the kernel's caches: cold figures are warm ones here"
start_systems

failed=()
for ((round = 1; round <= rounds; round++)); do
  for workload in "${workloads[@]}"; do
    for system in $(in_turn "$round" $(systems_of "$workload")); do
      say "round $round: $workload on $system"
      settle
      # In a subshell a failure ends this measurement only; systems are restarted in this one. As the
      # condition of an "if" the subshell would go on after errors.
      prepare "$workload" "$system"
      set +e
      (set -e && "w_$workload")
      [ $? = 0 ] || failed+=("$workload on $system")
      set -e
    done
  done
  forget_round
done
python3 "$here/bench/table.py" "$out"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
