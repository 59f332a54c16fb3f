#!/usr/bin/env bash
# The five-minute demonstration: one coordinator, eight clients and an evaluator as separate processes on this machine,
# mutual TLS, secure aggregation, per-example differential privacy, real images; one client is killed on the way.
#
#   deploy/demo.sh BIN_DIRECTORY [JOB.toml [--set KEY=VALUE]...]       default job: configs/jobs/fashion-mnist.toml
#
# Beside the jobs of configs/jobs/DOMAIN lies what their clients' files are made from: JOB.client.toml, or client.toml for all
# of the folder. There are as many clients as the job's cohort.size, each with its own part of the table, and the evaluator
# reads the whole of it; deploy/get-data.sh fetches it. Nobody is killed there.
# Everything it makes lies in demo-state/ (TUTTI_DEMO_STATE names another folder); all processes end with it.
# TUTTI_DEMO_DATA: another folder with the four files of the MNIST family, .gz or not. TUTTI_DEMO_BUDGET: epsilon the clients' owners allow (4.0). TUTTI_DEMO_KILL=no: nobody is killed, for jobs that count on every client (configs/jobs/benchmarks).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(cd "${1:?usage: deploy/demo.sh BIN_DIRECTORY [JOB.toml]}" && pwd)
job=${2:-configs/jobs/fashion-mnist.toml}
sets=("${@:3}") # over the job file
template=${job%.toml}.client.toml
[[ -f $template ]] || template=$(dirname "$job")/client.toml
[[ -f $template ]] || template='' # Fashion-MNIST
state=${TUTTI_DEMO_STATE:-demo-state}
clients=8
victim=3
kill=${TUTTI_DEMO_KILL:-$([[ -n $template ]] && echo no || echo yes)}
data=${TUTTI_DEMO_DATA:-/usr/share/datasets/fashion-mnist}
budget=${TUTTI_DEMO_BUDGET:-4.0}
bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '%s\n' "$*"; }
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { say "demo: $*" >&2; exit 1; }

gz=.gz
[[ -r $data/train-images-idx3-ubyte.gz ]] || gz=''
[[ -n $template || -r $data/train-images-idx3-ubyte$gz ]] ||
  fail "the images are missing in $data; fix: deploy/setup.sh (package dataset-fashion-mnist)"
for program in tutti-server tutti-client tutti-trainer tutti; do
  [[ -x $bin/$program ]] || fail "$bin/$program is missing; fix: make build"
done

declare -A pids=()
cleanup() {
  trap - EXIT INT TERM
  local name
  for name in "${!pids[@]}"; do kill "${pids[$name]}" 2>/dev/null || true; done
  for name in "${!pids[@]}"; do wait "${pids[$name]}" 2>/dev/null || true; done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_ports() { # three different free ports
  python3 - <<'PY'
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PY
}
read -r port enrolment_port metrics_port < <(free_ports)

rm -rf "$state"
mkdir -p "$state/logs"
state=$(cd "$state" && pwd)
shown=${state#"$PWD"/}
effective=$("$bin/tutti" run "$job" "${sets[@]}" --print-config) || fail "the job file is wrong"
job_key() { sed -n "s/^$1 = \"\{0,1\}\([^\" ]*\).*/\1/p" <<<"$effective" | head -n 1; }
job_name=$(job_key name)
private=yes
[[ $(job_key unit) == none ]] && private=no
trains=yes
[[ $(job_key kind) == train ]] || { trains=no kill=no; }
clients=$(job_key size)
min_cohort=$((clients < 6 ? 3 : 5))

title "1. A coordinator with its own certificate authority"
"$bin/tutti-server" init --state "$state/server" --name localhost --name 127.0.0.1 >"$state/logs/init.log" 2>&1 ||
  { cat "$state/logs/init.log" >&2; fail "tutti-server init failed"; }
cat >"$state/server.toml" <<TOML
state_directory = "server"
address = "127.0.0.1:$port"
enrolment_address = "127.0.0.1:$enrolment_port"
public_names = ["localhost", "127.0.0.1"]
metrics_address = "127.0.0.1:$metrics_port"
TOML
"$bin/tutti-server" run --config "$state/server.toml" >"$state/logs/server.log" 2>&1 &
pids[server]=$!
export TUTTI_SOCKET=$state/server/admin.sock
ready=no
for _ in $(seq 100); do
  if "$bin/tutti" status >/dev/null 2>&1; then ready=yes; break; fi
  kill -0 "${pids[server]}" 2>/dev/null || break
  sleep 0.1
done
[[ $ready == yes ]] || { tail -n 20 "$state/logs/server.log" >&2; fail "the coordinator did not start"; }
say "   tutti-server listens on 127.0.0.1:$port (TLS 1.3, client certificates required)"

title "2. $clients clients and an evaluator join, each with its own key and a token that works once"
allow=false
[[ $private == no ]] && allow=true
cat >"$state/policy.toml" <<TOML
max_epsilon_total = $budget
delta = 1e-5
min_cohort = $min_cohort
min_noise_multiplier = 0.5
max_clip_norm = 10.0
require_malicious_level = true
allow_without_privacy = $allow
TOML

enrol() { # NAME ROLE
  local name=$1 role=$2 token
  token=$("$bin/tutti" token create --name "$name" --role "$role" 2>/dev/null | grep -o 'tutti1\.[A-Za-z0-9_-]*' | head -n 1)
  "$bin/tutti-client" join "$token" --state "$state/$name" >"$state/logs/$name.log" 2>&1 ||
    { cat "$state/logs/$name.log" >&2; fail "$name could not join"; }
}
image_client() { # NAME ROLE IMAGES LABELS SLICE_KIND SLICE_INDEX
  local name=$1 role=$2
  cat >"$state/$name.toml" <<TOML
state_directory = "$name"
policy_file = "policy.toml"
role = "$role"

[data]
format = "idx"
images = "$data/$3"
labels = "$data/$4"
identity = "fashion-mnist-slice"
mean = 0.2860
stddev = 0.3530

[trainer]
threads = 1

[log]
level = "debug"
TOML
  [[ $5 == all ]] || cat >>"$state/$name.toml" <<TOML

[data.slice]
kind = "$5"
index = $6
count = $clients
seed = 7
TOML
}
table_client() { # NAME ROLE [SLICE_INDEX]: without an index the whole table
  local part=("data.slice=")
  [[ -z ${3:-} ]] || part=("data.slice.index=$3" "data.slice.count=$clients")
  python3 deploy/client_file.py "$template" "state_directory=$state/$1" "policy_file=$state/policy.toml" "role=$2" \
    log.level=debug trainer.threads=1 "${part[@]}" >"$state/$1.toml"
}
run_client() { # NAME
  "$bin/tutti-client" run --config "$state/$1.toml" >>"$state/logs/$1.log" 2>&1 &
  pids[$1]=$!
}
for i in $(seq "$clients"); do
  if [[ -n $template ]]; then
    table_client "client-$i" trainer $((i - 1))
  else
    image_client "client-$i" trainer train-images-idx3-ubyte$gz train-labels-idx1-ubyte$gz iid $((i - 1))
  fi
  # A table nobody has prepared yet may be asked about, but not trained on.
  if ((i == 1)) && ! "$bin/tutti-client" data inspect --config "$state/client-1.toml" >"$state/data.txt" 2>&1 &&
    [[ $(job_key kind) != analyse ]]; then
    cat "$state/data.txt" >&2
    fail "the data cannot be used; deploy/get-data.sh --list names the data sets it fetches"
  fi
  enrol "client-$i" trainer
  run_client "client-$i"
done
if [[ -n $template ]]; then
  table_client evaluator evaluator
else
  image_client evaluator evaluator t10k-images-idx3-ubyte$gz t10k-labels-idx1-ubyte$gz all 0
fi
enrol evaluator evaluator
run_client evaluator
if [[ -n $template ]]; then
  say "   each client reads its part of the table, as $template says; the evaluator holds the rows kept for validation"
else
  say "   each client reads its own 7,500 of the 60,000 images; the evaluator holds the 10,000 test images"
fi
say "   what client-1's data holds: $shown/data.txt (tutti-client data inspect)"
say "   the owner's policy on every client: epsilon at most $budget in total, sums of at least $min_cohort clients, noise required"

title "3. The job: $job"
[[ $kill == no ]] ||
  say "   in round 3, its update ready, client-$victim is ended with kill -9; it comes back two rounds later"
rounds_done() {
  "$bin/tutti" job show "$job_name" --json 2>/dev/null |
    python3 -c 'import json,sys; d=json.load(sys.stdin); print(int(d.get("job", d).get("rounds_done", 0)))' 2>/dev/null || echo 0
}
kill_and_return() {
  local name=client-$victim log=$state/logs/client-$victim.log
  # Its update of round 3 is ready and it has joined the sum: now it vanishes without a word.
  timeout 300 tail -n +1 -F "$log" 2>/dev/null | grep -m 1 -qE 'trained .*round=3( |$)' || true
  kill -9 "$(cat "$state/logs/$name.pid")" 2>/dev/null || true
  until [[ $(rounds_done) -ge 4 ]]; do sleep 0.2; done
  "$bin/tutti-client" run --config "$state/$name.toml" >>"$log" 2>&1 &
  echo $! >"$state/logs/$name.pid"
  trap 'kill "$(cat "$state/logs/$name.pid")" 2>/dev/null' TERM
  wait $!
}
if [[ $kill != no ]]; then
  echo "${pids[client-$victim]}" >"$state/logs/client-$victim.pid"
  disown "${pids[client-$victim]}" 2>/dev/null || true
  kill_and_return &
  pids[killer]=$!
fi

started=$SECONDS
"$bin/tutti" run "$job" "${sets[@]}" --watch || fail "the job did not finish; the coordinator's log: $shown/logs/server.log"
seconds=$((SECONDS - started))
say "   the job took $seconds seconds"

if [[ $kill != no ]]; then
title "4. Did the sum of round 3 stay exact without client-$victim?"
grep 'round published' "$state/logs/server.log" | grep 'round=3 ' | sed 's/^[^ ]* */   coordinator: /' || true
cat <<TEXT
   The coordinator removed the masks that were left in the sum: the survivors' own, and those the killed client shared with
   the others, if it got that far. Each key it rebuilt for that had to match the one announced before, and weight_sum, a
   lane of the same sum, has to be the number of clients in it: with one mask left over it would be a random 32-bit number.
TEXT
fi

title "5. What each device has spent, by its own ledger"
for i in $(seq "$clients"); do
  "$bin/tutti-client" ledger verify --state "$state/client-$i" >/dev/null || fail "the ledger of client-$i does not verify"
done
{
  printf 'client|epsilon spent|of budget|rounds paid for\n'
  for i in $(seq "$clients"); do
    "$bin/tutti-client" status --config "$state/client-$i.toml" --json |
      python3 -c '
import json, math, sys
d = json.load(sys.stdin)
book = d["data"][0] if d["data"] else {"epsilon_spent": 0, "epsilon_budget": float("nan"), "rounds": 0}
print("|".join([d["name"], "%.2f" % (math.ceil(book["epsilon_spent"] * 100 - 1e-9) / 100),
                "%.2f" % book["epsilon_budget"], str(book["rounds"])]))'
  done
} | awk -F'|' '{printf "   %-10s %15s %12s %18s\n", $1, $2, $3, $4}'
if [[ $private == yes ]]; then
  say "   against the coordinator, at delta 1e-5; accountant: RDP"
  "$bin/tutti" job show "$job_name" | grep -E '^(protected|mechanism|trust)' | sed 's/^/   /'
else
  say "   this job adds no noise, so nothing is charged and nothing bounds what the model tells about one image"
fi

if [[ $trains == no ]]; then
title "6. What the clients counted, all together"
"$bin/tutti" job report "$job_name" --json >"$state/report.json"
"$bin/tutti" job report "$job_name"
say "   every figure, and the counts: $shown/report.json"
if [[ $(job_key kind) == analyse && -n $template ]]; then
  label=$(sed -n 's/^label = "\(.*\)"$/\1/p' "$template" | head -n 1)
  "$bin/tutti" job report "$job_name" --toml --label "$label" >"$state/data.toml"
  say "   the section [data.csv] that follows, for every client: $shown/data.toml"
fi
exit 0
fi

title "6. The model"
"$bin/tutti" model export "$job_name" -o "$state/model.safetensors" | sed 's/^/   /'
say "   any safetensors reader opens $shown/model.safetensors"

title "What to try next"
cat <<TEXT
   make demo JOB=configs/jobs/fashion-mnist-plain.toml      the same without privacy: what does privacy cost?
   less $shown/logs/client-1.log                        what one client decided, round by round
   ${bin#"$PWD"/}/tutti-client ledger show --state $shown/client-1
   README.md                                                run your own coordinator and clients
TEXT
