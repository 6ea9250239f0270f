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

say "building preset $preset"
cmake --preset "$preset" -DTUSKFS_TESTS=ON >&2
cmake --build --preset "$preset" -j "$(build_jobs)" >&2

say "testing preset $preset"
status=0
# Most tests wait more than they work: two programs at a time.
ctest --preset "$preset" -j 2 "$@" || status=$?
if [ "$status" = 0 ]; then say "all tests of preset $preset passed"; else say "tests of preset $preset FAILED"; fi
exit "$status"
