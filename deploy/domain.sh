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
if ! grep -q '^unit = "none"' "$job"; then
  measure >"$work/private-central.json"
  together private
fi
python3 - "$work" <<'PY'
import json, os, sys
def read(name):
    path = os.path.join(sys.argv[1], name + ".json")
    return json.load(open(path)) if os.path.exists(path) else None
def share(value):
    return "-" if value is None else f"{100 * value:.1f} %"
def row(title, score):
    if score:
        auc = "-" if "auc" not in score else f"{score['auc']:.3f}"
        print(f"| {title} | {share(score['accuracy'])} | {score['loss']:.3f} | {auc} |")
alone, plain, private, central = read("alone"), read("plain"), read("private"), read("private-central")
print(f"{alone['validation']} rows kept for validation, {alone['central']['examples']} for training\n")
print("| trained | accuracy | loss | AUC |\n|---|---|---|---|")
print(f"| always the most frequent class | {share(alone['majority']['accuracy'])} | - | - |")
local = alone["local"]
row(f"each of {local['clients']} clients alone, mean ({share(local['smallest'])} to {share(local['largest'])})", local)
row("**together, no privacy**", plain["model"])
row("all rows in one place, no privacy", alone["central"])
if private:
    row("**together, with privacy**", private["model"])
    row(f"all rows in one place, epsilon {central['central']['epsilon']:.1f}", central["central"])
groups = [("no privacy", plain["model"].get("groups", []))] + ([("with privacy", private["model"].get("groups", []))] if private else [])
if groups[0][1]:
    print("\n| together | group | rows | are | said | found | wrongly |\n|---|---|---|---|---|---|---|")
    for title, list_ in groups:
        for g in list_:
            print(f"| {title} | {g['column']} = {g['group']} | {g['examples']:.0f} | " + " | ".join(share(g[k]) for k in ("are", "said", "found", "wrongly")) + " |")
PY
