#!/usr/bin/env bash
# scripts/format.sh [--check]: lays out the C++ sources, or says which are not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(-i)
if [ "${1:-}" = --check ]; then mode=(--dry-run -Werror); fi
find src include tests benches -name '*.h' -o -name '*.cc' | xargs clang-format "${mode[@]}"
