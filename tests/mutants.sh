#!/usr/bin/env bash
# Shows that the checks which protect a device from a coordinator that lies are tested: one build in which
# TUTTI_MUTANT=NAME turns the check Guard("NAME") off (common/base/guard.h). With each off in turn a unit test must
# fail, and so must the attacks of tests/e2e/evil_rows.h that name the check. Ends with a table; exit code 1 when a
# mutant survives.
#   tests/mutants.sh [NAME]...     all checks when there is no name; BUILD: the build directory, JOBS: compilers at once
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/mutants}
units=(tutti_session_test tutti_policy_test tutti_client_test tutti_client_rpc_test tutti_model_test tutti_secagg_test)
attacks=tutti_e2e_evil_test
most_seconds=600 # a test that hangs with a check off has noticed

cmake --preset release -B "$build" -DTUTTI_MUTANTS=ON >/dev/null
ninja -C "$build" -j "${JOBS:-$(nproc)}" "${units[@]}" "$attacks"

mapfile -t checks < <(grep -rhoE 'Guard\("[^"]+"\)' client common --include='*.cc' | cut -d'"' -f2 | sort)
mapfile -t attacked < <(grep -oE '"[a-z]+\.[a-z_]+"\}' tests/e2e/evil_rows.h | cut -d'"' -f2 | sort -u)
is_in() { local one=$1; shift; [[ " $* " == *" $one "* ]]; }
if [[ -n $(printf '%s\n' "${checks[@]}" | uniq -d) ]]; then
  echo "mutants.sh: one name for two checks: $(printf '%s\n' "${checks[@]}" | uniq -d | xargs)"
  exit 1
fi
for name in "${attacked[@]}" "$@"; do
  is_in "$name" "${checks[@]}" || { echo "mutants.sh: no check is called $name"; exit 1; }
done

passes() { timeout "$most_seconds" "$build/bin/$1" --abort >/dev/null 2>&1; }
for program in "${units[@]}" "$attacks"; do
  passes "$program" || { echo "mutants.sh: $program fails with every check on"; exit 1; }
done

# The unit test program that fails with the check off, if any.
noticed_by() {
  local program
  for program in "${units[@]}"; do
    if ! TUTTI_MUTANT=$1 passes "$program"; then
      echo "$program"
      return
    fi
  done
  echo SURVIVES
}

survivors=0
chosen=("$@")
((${#chosen[@]})) || chosen=("${checks[@]}")
printf '%-34s %-22s %s\n' 'check that is off' 'noticed by' 'attacks on real clients'
for name in "${chosen[@]}"; do
  unit=$(noticed_by "$name")
  attack=none
  if is_in "$name" "${attacked[@]}"; then
    attack=noticed
    if TUTTI_MUTANT=$name passes "$attacks"; then attack=SURVIVES; fi
  fi
  printf '%-34s %-22s %s\n' "$name" "$unit" "$attack"
  if [[ $unit$attack == *SURVIVES* ]]; then survivors=$((survivors + 1)); fi
done
echo "${#chosen[@]} checks, $survivors mutants survive"
((survivors == 0))
