#!/usr/bin/env bash
# The benchmarks of docs/performance.md, one JSON line each on standard output.
#   deploy/bench.sh BIN_DIRECTORY [quick]     quick: only the small ones
set -euo pipefail
bin=${1:?usage: deploy/bench.sh BIN_DIRECTORY [quick]}
cases=("10 10000" "50 10000" "100 10000" "10 1000000" "50 1000000" "100 1000000" "10 10000000")
[[ ${2:-} == quick ]] && cases=("10 10000" "100 10000" "10 1000000")
for pair in "${cases[@]}"; do
  read -r clients values <<<"$pair"
  for level in curious malicious; do
    "$bin/tutti-bench" round --clients "$clients" --values "$values" --level "$level"
  done
done
[[ ${2:-} == quick ]] || "$bin/tutti-bench" park --clients 1000
