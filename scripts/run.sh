#!/usr/bin/env bash
# scripts/run.sh DIR [options of tuskfs mount]
# Installs what is missing, builds, and mounts a tree kept in a private PostgreSQL on DIR.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

if [ $# -lt 1 ] || [ "$1" = -h ] || [ "$1" = --help ]; then
  echo "usage: scripts/run.sh DIR [options of tuskfs mount]" >&2
  exit 2
fi
directory=$(realpath -ms "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install_missing "${build_packages[@]}"
ensure_fuse_device

say "building (the first time takes some minutes)"
cmake --preset release -DTUSKFS_TESTS=OFF -DTUSKFS_BENCHES=OFF >&2
cmake --build --preset release --target tuskfs -j "$(build_jobs)" >&2

if build/tuskfs status "$directory" >/dev/null 2>&1; then
  say "$directory is mounted already"
else
  say "mounting $directory (starts a private PostgreSQL)"
  mkdir -p "$directory"
  build/tuskfs mount "$directory" "$@"
fi
say "ready: put files into $directory, look at them with  psql \"\$(build/tuskfs dsn)\""
say "done with it?  build/tuskfs umount $directory"
