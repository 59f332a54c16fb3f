#!/usr/bin/env bash
# What fewer values and fewer bits of each cost (docs/compression.md): simulates configs/jobs/benchmarks/strategies.toml on
# ten clients with equal data, and prints accuracy and upload of each setting as a table's rows.
#   deploy/compression.sh BIN_DIRECTORY
# DATA names a folder with the four IDX files (default: Fashion-MNIST).
set -euo pipefail
bin=$(cd "${1:?usage: deploy/compression.sh BIN_DIRECTORY}" && pwd)
cd "$(dirname "$0")/.."
data=${DATA:-/usr/share/datasets/fashion-mnist}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# simulate BITS ROTATE CLIP FRACTION [--set KEY=VALUE]...
simulate() {
  local bits=$1 rotate=$2 clip=$3 fraction=$4
  shift 4
  "$bin/tutti" simulate configs/jobs/benchmarks/strategies.toml --data "$data" --clients 10 --partition iid --seed 1 \
    --set rounds=60 --set training.local_steps=20 --set evaluation.every=60 --set secure_aggregation.value_bits="$bits" \
    --set secure_aggregation.rotate="$rotate" --set secure_aggregation.value_clip="$clip" \
    --set secure_aggregation.sampled_fraction="$fraction" "$@" --quiet --json-file "$scratch/run.json" >"$scratch/out"
  python3 - "$scratch/run.json" "$bits" "$rotate" "$clip" "$fraction" "$*" <<'PYTHON'
import json, sys
run = json.load(open(sys.argv[1]))
last = run["rounds"][-1]
upload = run["bytes_up"] / run["client_rounds"]
print("| %s | %s | %s | %s | %s | %.2f %% | %.1f kB |" % (*sys.argv[2:7], 100 * last["test_accuracy"], upload / 1000))
PYTHON
}

echo "| value_bits | rotate | value_clip | sampled_fraction | more | test accuracy | upload a round |"
for fraction in 1.0 0.25 0.05; do
  for bits in 20 8 6 4; do
    simulate "$bits" false 0.1 "$fraction"
    simulate "$bits" true 0.03 "$fraction"
  done
done
simulate 8 true 0.03 0.25 --set server.learning_rate=4.0
simulate 8 true 0.03 0.05 --set server.learning_rate=20.0
simulate 8 true 0.03 0.05 --set server.learning_rate=4.0
