#!/usr/bin/env bash
# scripts/test.sh [--asan|--tsan] [arguments of ctest]
# Installs what is missing, builds, and passes every test.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
case "${1:-}" in
  --asan) preset=asan; shift ;;
  --tsan) preset=tsan; shift ;;
  -h | --help) sed -n '2,3s/^# //p' scripts/test.sh; exit 0 ;;
esac

install_missing "${build_packages[@]}" "${test_packages[@]}"
ensure_fuse_device
if ! install_s3_server "$PWD/.cache/s3rver"; then
  say "no S3 server can be had from npm: the tests of S3 are left out"
  export GTEST_FILTER="${GTEST_FILTER:-*}:-*S3*"
fi

install_pgtap
install_promtool "$PWD/.cache/promtool" || say "there is no promtool: its test is left out"
export PATH="$PATH:$PWD/.cache/promtool"

# What each test said that failed or died, from the log of ctest: at the end, where it is looked for.
say_failures() {
  awk '/^\[ RUN      \]/ { text = ""; keep = 1 }
       keep { text = text $0 "\n" }
       /^\[  FAILED  \] [^ ]+ \([0-9]+ ms\)/ { printf "%s", text }
       /^<end of output>/ && keep { printf "%s", text; keep = 0 }
       /^\[ +(OK|FAILED|SKIPPED) +\]/ { keep = 0 }' "$1" | cut -c 1-400 | head -n 400
}

say "building preset $preset"
cmake --preset "$preset" -DTUSKFS_TESTS=ON >&2
cmake --build --preset "$preset" -j "$(build_jobs)" >&2

say "testing preset $preset"
build=build
[ "$preset" = release ] || build=build-$preset
rm -f "$build/Testing/Temporary/LastTestsFailed.log"
# passes ARGUMENTS: of ctest. What failed is said.
passes() {
  ctest --preset "$preset" "$@" && return
  say_failures "$build/Testing/Temporary/LastTest.log" >&2
  return 1
}
# Most tests wait more than they work: twice as many programs as cores. What fails among them is run
# once more with the machine to itself, and counts as it is then; both are said.
if passes -j "$(($(nproc) * 2))" "$@"; then
  say "all tests of preset $preset passed"
elif say "running what failed once more, one after the other" && passes --rerun-failed --no-tests=error; then
  say "all tests of preset $preset passed, those named above when they were alone"
else
  say "tests of preset $preset FAILED"
  exit 1
fi
