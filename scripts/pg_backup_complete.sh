#!/usr/bin/env bash
# scripts/pg_backup_complete.sh dump|list|verify|prune [DIR] [options of tuskfs backup]
# Backups of everything in the database, by `tuskfs backup`, where an administrator looks for a script.
set -euo pipefail

usage() {
  cat >&2 <<TEXT
usage: scripts/pg_backup_complete.sh dump   [DIR] [--data-dir CLUSTER]  make a backup in DIR
       scripts/pg_backup_complete.sh list   [DIR] [--json]              show the backups
       scripts/pg_backup_complete.sh verify [DIR | DIR/NAME]            restore one on trial (the newest)
       scripts/pg_backup_complete.sh prune  [DIR] [--keep N]            remove all but the N newest (7)

DIR is \$TUSKFS_BACKUPS by default, else ~/tuskfs-backups. The database is \$TUSKFS_DB, a conninfo or
URI; without it the embedded cluster. Keep passwords in ~/.pgpass or \$PGPASSWORD.
TEXT
  exit 2
}

tuskfs=$(dirname "${BASH_SOURCE[0]}")/../build/tuskfs
[ -x "$tuskfs" ] || tuskfs=tuskfs

[ $# -ge 1 ] || usage
verb=$1
shift
folder=${TUSKFS_BACKUPS:-$HOME/tuskfs-backups}
if [ $# -ge 1 ] && [[ $1 != -* ]]; then
  folder=$1
  shift
fi

keep=7
if [ "$verb" = prune ] && [ $# -ge 2 ] && [ "$1" = --keep ]; then
  keep=$2
  shift 2
fi

case $verb in
  dump) exec "$tuskfs" backup "$@" ${TUSKFS_DB:+"$TUSKFS_DB"} "$folder" ;;
  list) exec "$tuskfs" backup --list "$@" "$folder" ;;
  verify) exec "$tuskfs" backup --verify "$@" "$folder" ;;
  prune) exec "$tuskfs" backup --prune "$keep" "$@" "$folder" ;;
  *) usage ;;
esac
