#!/usr/bin/env bash
# Strategies against each other on clients whose data differ (docs/strategies.md): simulates
# configs/jobs/benchmarks/strategies.toml with each, three seeds, prints the accuracies and draws docs/strategies.svg.
#   deploy/strategies.sh BIN_DIRECTORY      about 7 minutes on 2 cores
# DATA names a folder with the four IDX files (default: Fashion-MNIST), SVG another picture.
set -euo pipefail
bin=$(cd "${1:?usage: deploy/strategies.sh BIN_DIRECTORY}" && pwd)
cd "$(dirname "$0")/.."
data=${DATA:-/usr/share/datasets/fashion-mnist}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
series=()

# simulate NAME [--set KEY=VALUE]...
simulate() {
  local name=$1 files=() seed
  shift
  for seed in 1 2 3; do
    local csv=$scratch/$name-$seed.csv
    "$bin/tutti" simulate configs/jobs/benchmarks/strategies.toml --data "$data" --clients 10 --partition dirichlet \
      --alpha 0.1 --seed "$seed" "$@" --csv "$csv" | sed -n "s/^test: */$name, seed $seed: /p"
    files+=("$csv")
  done
  series+=("$name=$(IFS=,; echo "${files[*]}")")
}

simulate FedAvg
simulate FedProx --set training.proximal=0.1
simulate SCAFFOLD --set training.correction=scaffold
simulate FedAdam --set server.optimiser=fedadam --set server.learning_rate=0.01 --set server.momentum=0.9
python3 tests/bench/simulate/curves.py "${SVG:-docs/strategies.svg}" "${series[@]}"
