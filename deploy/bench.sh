#!/usr/bin/env bash
# The benchmarks of docs/performance.md, one JSON line each on standard output.
#   deploy/bench.sh BIN_DIRECTORY [quick]     quick: only the small ones
#   deploy/bench.sh BIN_DIRECTORY secagg      only secure aggregation without network
# Unless quick, docs/secagg-server-time.svg is drawn anew.
set -euo pipefail
bin=${1:?usage: deploy/bench.sh BIN_DIRECTORY [quick|secagg]} what=${2:-all}
root=$(cd "$(dirname "$0")/.." && pwd)

rounds() {
  local pair clients values level
  for pair in "$@"; do
    read -r clients values <<<"$pair"
    for level in curious malicious; do
      "$bin/tutti-bench" round --clients "$clients" --values "$values" --level "$level"
    done
  done
}

# Each five times: the best one counts, because all that disturbs a run makes it slower.
secagg() {
  local repeat
  for repeat in 1 2 3 4 5; do "$bin/tutti-bench" secagg "$@"; done
}

secagg_all() {
  local clients dropout level
  for level in curious malicious; do
    for clients in 10 30 100 300; do
      secagg --clients "$clients" --values 1000000 --dropout 0.1 --level "$level"
    done
    for dropout in 0 0.02 0.04 0.06 0.08 0.1; do
      secagg --clients 100 --values 1048576 --dropout "$dropout" --level "$level"
    done
  done
  secagg --clients 100 --values 1048576 --dropout 0.1 --level malicious --new-certificates
  # The large ones last minutes, so they run once.
  "$bin/tutti-bench" secagg --clients 1000 --values 1000000 --dropout 0.1 --level curious
  "$bin/tutti-bench" secagg --clients 1000 --values 1000000 --dropout 0.1 --level malicious
  "$bin/tutti-bench" secagg --clients 10000 --values 100000 --dropout 0.05 --level curious
}

if [[ $what == quick ]]; then
  rounds "10 10000" "100 10000" "10 1000000"
  "$bin/tutti-bench" secagg --clients 100 --values 100000 --dropout 0.1 --level malicious
  exit
fi
if [[ $what == all ]]; then
  rounds "10 10000" "50 10000" "100 10000" "10 1000000" "50 1000000" "100 1000000" "10 10000000"
  "$bin/tutti-bench" park --clients 1000
  "$bin/tutti-bench" accountant
  "$bin/tutti-bench" accountant --sampling-rate 0.004 --noise-multiplier 1.3
  "$bin/tutti-bench" audit --canaries 4000 --noise-multiplier 2
fi
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
secagg_all | tee "$lines"
python3 "$root/tests/bench/secagg/plot.py" "$lines" "$root/docs/secagg-server-time.svg"
