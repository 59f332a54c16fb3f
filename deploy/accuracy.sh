#!/usr/bin/env bash
# Accuracy against epsilon (docs/privacy.md, section 10): trains each benchmark job at each epsilon on the whole training
# set, measures on the test set, and draws docs/accuracy-epsilon.svg from docs/data/accuracy-epsilon.csv.
#   deploy/accuracy.sh BIN_DIRECTORY             everything, RUNS times (default 1; two runs differ: noise is not seeded)
#   deploy/accuracy.sh BIN_DIRECTORY JOB EPS...  only this job at these epsilons, added to the file
# DATA names a folder with the four IDX files (default: Fashion-MNIST), CSV and SVG other output files.
set -euo pipefail
bin=$(cd "${1:?usage: deploy/accuracy.sh BIN_DIRECTORY [JOB EPSILON...]}" && pwd)
shift
cd "$(dirname "$0")/.."
data=${DATA:-/usr/share/datasets/fashion-mnist}
csv=${CSV:-docs/data/accuracy-epsilon.csv}
svg=${SVG:-docs/accuracy-epsilon.svg}
header=job,epsilon,delta,accountant,test_accuracy,steps,sampling_rate,noise_multiplier

run() {
  local job=$1 epsilon=$2
  "$bin/tutti-bench" train --job "configs/jobs/benchmarks/$job.toml" --data "$data" \
    --set "privacy.target_epsilon=$epsilon" |
    python3 -c 'import json, sys
line = json.load(sys.stdin)
line.update(epsilon=sys.argv[1], accuracy=line["accuracy"][-1])
print("{job},{epsilon},{delta:g},{accountant},{accuracy:.4f},{steps},{sampling_rate:.5f},{noise_multiplier:.4f}"
      .format(**line))' "$epsilon" >>"$csv"
  tail -n 1 "$csv"
}

mkdir -p "$(dirname "$csv")"
if (($# > 0)); then
  job=$1
  shift
  for epsilon in "$@"; do run "$job" "$epsilon"; done
else
  echo "$header" >"$csv"
  for ((i = 0; i < ${RUNS:-1}; i++)); do
    for job in scattering cnn; do
      for epsilon in 0.5 1 2 3 8; do run "$job" "$epsilon"; done
    done
  done
fi
python3 tests/bench/learn/plot.py "$csv" "$svg"
