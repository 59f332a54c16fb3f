#!/usr/bin/env bash
# Accuracy against epsilon (docs/privacy.md, section 11): trains each benchmark job at each epsilon on the whole training
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

# Eight clients and a coordinator as real processes.
run_federated() {
  local job=$1 epsilon=$2 folder accuracy noise
  folder=$(mktemp -d)
  sed "s/^target_epsilon = .*/target_epsilon = $epsilon/" "configs/jobs/benchmarks/$job.toml" >"$folder/$job.toml"
  TUTTI_DEMO_STATE=$folder/state TUTTI_DEMO_KILL=no TUTTI_DEMO_BUDGET=20 deploy/demo.sh "$bin" "$folder/$job.toml" \
    >"$folder/out" || { tail -n 5 "$folder/out" >&2; return 1; }
  accuracy=$(sed -nE 's/^job .* is done: test accuracy ([0-9.]+) %.*/\1/p' "$folder/out")
  noise=$(grep -ohm 1 'noise_multiplier=[0-9.]*' "$folder/state/logs/client-1.log" | cut -d= -f2)
  python3 -c 'import sys
job, epsilon, accuracy, noise = sys.argv[1:]
print(f"{job},{epsilon},1e-05,rdp,{float(accuracy) / 100:.4f},200,0.06827,{noise}")' \
    "$job" "$epsilon" "$accuracy" "$noise" >>"$csv"
  rm -rf "$folder"
  tail -n 1 "$csv"
}
measure() {
  case $1 in
    federated*) run_federated "$1" "$2" ;;
    *) run "$1" "$2" ;;
  esac
}

mkdir -p "$(dirname "$csv")"
if (($# > 0)); then
  job=$1
  shift
  for epsilon in "$@"; do measure "$job" "$epsilon"; done
else
  echo "$header" >"$csv"
  for ((i = 0; i < ${RUNS:-1}; i++)); do
    for job in scattering cnn; do
      for epsilon in 0.5 1 2 3 8; do measure "$job" "$epsilon"; done
    done
    for job in federated federated-local; do
      for epsilon in 1 3 8; do measure "$job" "$epsilon"; done
    done
  done
fi
python3 tests/bench/learn/plot.py "$csv" "$svg"
