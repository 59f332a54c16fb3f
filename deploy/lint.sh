#!/usr/bin/env bash
# Format and static checks. Needs clang-format and clang-tidy (apt-get install clang-format clang-tidy).
#   deploy/lint.sh [--tidy]     --tidy also runs clang-tidy over all sources (several minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang-format >/dev/null || { echo "lint.sh: clang-format is missing: apt-get install clang-format" >&2; exit 1; }
mapfile -t sources < <(git ls-files '*.h' '*.cc')
clang-format --dry-run --Werror "${sources[@]}" || { echo "lint.sh: run make format" >&2; exit 1; }
echo "format: ${#sources[@]} files are as they should be"
for script in deploy/*.sh .ci/run; do bash -n "$script"; done
command -v shellcheck >/dev/null && shellcheck -S warning deploy/*.sh .ci/run
if [[ ${1:-} == --tidy ]]; then
  command -v clang-tidy >/dev/null || { echo "lint.sh: clang-tidy is missing: apt-get install clang-tidy" >&2; exit 1; }
  deploy/build.sh dev all
  git ls-files 'common/*.cc' 'server/*.cc' 'client/*.cc' | grep -v '^common/learn/' | xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet
fi
