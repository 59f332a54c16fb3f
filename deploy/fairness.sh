#!/usr/bin/env bash
# What [fairness] does to accuracy and to the gap between groups: a job simulated by all clients together, with each rule, on
# several random parts of the table that nobody trains or counts on. Prints a Markdown table (docs/domains/finance.md).
#
#   deploy/fairness.sh BIN_DIRECTORY [SEEDS [JOB.toml]]     default: 20 seeds, configs/jobs/finance/hmda-fair.toml
#
# Each seed has its own held-out fifth of the table, its own clients' parts and its own batches and noise. Needs the programs
# (ninja tutti tutti-simulator) and the data (deploy/get-data.sh hmda).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(cd "${1:?usage: deploy/fairness.sh BIN_DIRECTORY [SEEDS [JOB.toml]]}" && pwd)
seeds=${2:-20}
job=${3:-configs/jobs/finance/hmda-fair.toml}
client=${job%.toml}.client.toml
[[ -f $client ]] || client=$(dirname "$job")/client.toml
[[ -f $client ]] || { echo "fairness.sh: there is no client file beside $job" >&2; exit 1; }
clients=$(sed -n '/^\[data.slice\]/,/^\[/s/^count = //p' "$client")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Over hmda-fair.toml: no privacy, and thirty rounds of five plain steps; no rule.
plain=(--set privacy.unit=none --set privacy.noise=local --set privacy.target_epsilon=0 --set privacy.sampling_rate=0
  --set privacy.counts_noise_multiplier=0 --set rounds=30 --set training.local_steps=5 --set training.learning_rate=1)
off=(--set fairness.rule=none --set fairness.strength=1 --set fairness.tolerance=0.02)
run() { # NAME TITLE [--set ...]: a row of the table
  local name=$1 title=$2 seed
  shift 2
  printf '%s\t%s\n' "$name" "$title" >>"$work/rows"
  for ((seed = 1; seed <= seeds; ++seed)); do
    "$bin/tutti" simulate "$job" --data "$client" --clients "${clients:-8}" --partition iid --test-fraction 0.2 --seed "$seed" \
      --set evaluation.every=0 "$@" --json >"$work/$name.$seed.json"
  done
}
run none "no privacy, no rule" "${plain[@]}" "${off[@]}"
run reweigh "no privacy, reweigh" "${plain[@]}" "${off[@]}" --set fairness.rule=reweigh
run penalty "no privacy, penalty of strength 3" "${plain[@]}" "${off[@]}" --set fairness.rule=penalty --set fairness.strength=3
run constraint "**no privacy, constraint**" "${plain[@]}" --set fairness.strength=0.2
run private-none "privacy, no rule" "${off[@]}"
run private "**privacy, constraint**"
python3 - "$work" "$seeds" <<'PY'
import json, statistics, sys
work, seeds = sys.argv[1], int(sys.argv[2])
print("| trained | accuracy | said positive, where true | said positive, where not | gap | epsilon |\n" + "|---" * 6 + "|")
for line in open(f"{work}/rows"):
    name, title = line.rstrip("\n").split("\t")
    runs = [json.load(open(f"{work}/{name}.{seed}.json")) for seed in range(1, seeds + 1)]
    last = [run["rounds"][-1] for run in runs]
    accuracy = [one["test_accuracy"] for one in last]
    counts = [sum(column) for column in zip(*(one["test_outcomes"] for one in last))]
    groups = [counts[i:i + 4] for i in range(0, len(counts), 4)]  # label 0 said 0, 1; label 1 said 0, 1
    tpr = [g[3] / (g[2] + g[3]) for g in groups]
    fpr = [g[1] / (g[0] + g[1]) for g in groups]
    gap = max(max(rates) - min(rates) for rates in (tpr, fpr))
    percent = lambda rates: ", ".join(f"{100 * rate:.1f} %" for rate in rates)
    spread = f" ± {100 * statistics.stdev(accuracy) / seeds ** 0.5:.1f}" if seeds > 1 else ""
    epsilon = runs[0]["epsilon_coordinator"]
    print(f"| {title} | {100 * statistics.mean(accuracy):.1f}{spread} % | {percent(tpr)} | {percent(fpr)} | {100 * gap:.1f} points | "
          f"{'-' if epsilon is None else f'{epsilon:.2f}'} |")
PY
