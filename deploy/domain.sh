#!/usr/bin/env bash
# What sharing is worth on a domain's data: one job trained by its clients together (deploy/demo.sh: separate processes,
# mutual TLS, secure aggregation), by each client alone, and on all rows in one place; with the job's privacy and without.
# Everything is measured on the rows kept for validation. Prints a Markdown table (docs/domains).
#
#   deploy/domain.sh BIN_DIRECTORY JOB.toml       e.g. build/release/bin configs/jobs/finance/hmda.toml
#
# Needs the programs and tutti-bench (ninja tutti-bench tutti-bench-learn), and the data (deploy/get-data.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(cd "${1:?usage: deploy/domain.sh BIN_DIRECTORY JOB.toml}" && pwd)
job=${2:?usage: deploy/domain.sh BIN_DIRECTORY JOB.toml}
client=${job%.toml}.client.toml
[[ -f $client ]] || client=$(dirname "$job")/client.toml
[[ -f $client ]] || { echo "domain.sh: there is no client file beside $job" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
plain=(--set privacy.unit=none --set privacy.target_epsilon=0)

measure() { "$bin/tutti-bench" domain --job "$job" --client "$client" "$@"; }
together() { # NAME [--set ...]
  local name=$1
  shift
  TUTTI_DEMO_STATE=$work/$name deploy/demo.sh "$bin" "$job" "$@" >"$work/$name.log" 2>&1 ||
    { tail -n 20 "$work/$name.log" >&2; exit 1; }
  measure --model "$work/$name/model.safetensors" >"$work/$name.json"
}

measure --local "${plain[@]}" >"$work/alone.json"
together plain "${plain[@]}"
# q-FFL weighs by the loss, and squares of a number in its own unit are too large for it.
grep -qE '^loss = "(mse|huber)"' "$job" || together fair "${plain[@]}" --set training.fairness_power=1
if ! grep -q '^unit = "none"' "$job"; then
  measure >"$work/private-central.json"
  together private
fi
python3 - "$work" <<'PY'
import json, os, sys
def read(name):
    path = os.path.join(sys.argv[1], name + ".json")
    return json.load(open(path)) if os.path.exists(path) else {}
def text(key, score):
    value = score.get(key)
    if value is None: return "-"
    return f"{100 * value:.1f} %" if key in ("accuracy", "are", "said", "found", "wrongly") else f"{value:.3f}"
alone, plain, fair, private = read("alone"), read("plain")["model"], read("fair").get("model"), read("private").get("model")
number = "rmse" in plain
columns = ["rmse", "mae"] if number else ["accuracy", "loss", "auc"]
def row(title, score):
    worst = (score.get("worst_client") or {}).get("loss")
    worst = "-" if worst is None else f"{worst ** 0.5 if number else worst:.3f}"
    print("| " + " | ".join([title, *(text(key, score) for key in columns), worst]) + " |")
local, central = alone["local"], alone["central"]
print(f"{alone['validation']} rows kept for validation, {central['examples']} for training\n")
names = ["RMSE", "mean error", "RMSE of the worst client"] if number else ["accuracy", "loss", "AUC", "loss of the worst client"]
print("| trained | " + " | ".join(names) + " |\n|" + "---|" * (1 + len(names)))
row("always the mean" if number else "always the most frequent class", alone["baseline"])
low, high = (text(columns[0], {columns[0]: local[key]}) for key in ("smallest", "largest"))
row(f"each of {local['clients']} clients alone, mean ({low} to {high})", local)
row("**together, no privacy**", plain)
if fair:
    row("together, fair between clients (q-FFL, q = 1)", fair)
row("all rows in one place, no privacy", central)
if private:
    row("**together, with privacy**", private)
    once = read("private-central")["central"]
    row(f"all rows in one place, epsilon {once['epsilon']:.1f}", once)
if plain.get("groups"):
    print("\n| together | group | rows | are | said | found | wrongly |\n|---|---|---|---|---|---|---|")
    for title, score in (("no privacy", plain), ("with privacy", private)):
        for g in (score or {}).get("groups", []):
            if g["examples"] > 0:
                print(f"| {title} | {g['column']} = {g['group']} | {g['examples']:.0f} | " +
                      " | ".join(text(key, g) for key in ("are", "said", "found", "wrongly")) + " |")
PY
