#!/bin/sh
# Shows that the checks which protect a device from a coordinator that lies are tested: one build in which
# TUTTI_MUTANT=NAME turns the check Guard("NAME") off (common/base/guard.h). With each off in turn a unit test must
# fail, and so must the attacks of tests/e2e/evil_rows.h that name it. Ends with a table; exit code 1 when a mutant
# survives. Arguments: names of checks, all when there are none. BUILD: the build directory; JOBS: compilers at once.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build/mutants}
units='tutti_secagg_test tutti_session_test tutti_policy_test tutti_client_test tutti_model_test'
attacks=tutti_e2e_evil_test

cmake --preset release -B "$build" -DTUTTI_MUTANTS=ON >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
# shellcheck disable=SC2086
ninja -C "$build" -j "${JOBS:-$(nproc)}" $units $attacks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

grep -rhoE 'Guard\("[a-z_.]+"\)' client common --include='*.cc' | sed 's/.*("\(.*\)").*/\1/' | sort >"$work/all"
twice=$(uniq -d "$work/all")
if [ -n "$twice" ]; then
  echo "one name for two checks: $twice"
  exit 1
fi
# A name in the table of attacks that no check has would silently test nothing.
grep -oE '"(roster|boxes|survivors|certificate|signer|order|conflict|offer|config|policy|model|runtime)\.[a-z_]+"' \
  tests/e2e/evil_rows.h | tr -d '"' | sort -u >"$work/attacked"
unknown=$(comm -13 "$work/all" "$work/attacked")
if [ -n "$unknown" ]; then
  echo "attacks of checks that do not exist: $unknown"
  exit 1
fi

fails() { # NAME PROGRAM: whether the program fails with the check off
  ! find "$build" -name "$2" -type f -perm -u+x -exec env TUTTI_MUTANT="$1" {} \; >"$work/log" 2>&1 ||
    ! tail -n 3 "$work/log" | grep -q 'All tests passed'
}

for program in $units $attacks; do
  if fails '' "$program"; then
    echo "$program fails with every check on:"
    tail -n 20 "$work/log"
    exit 1
  fi
done

survivors=0
[ $# -eq 0 ] || printf '%s\n' "$@" >"$work/chosen"
printf '%-34s %-22s %s\n' 'check that is off' 'unit tests' 'attacks on a real client'
while read -r name; do
  unit='SURVIVES'
  for program in $units; do
    if fails "$name" "$program"; then
      unit=$program
      break
    fi
  done
  attack='none of its own'
  if grep -qx "$name" "$work/attacked"; then
    attack='SURVIVES'
    if fails "$name" "$attacks"; then attack='noticed'; fi
  fi
  printf '%-34s %-22s %s\n' "$name" "$unit" "$attack"
  case "$unit$attack" in *SURVIVES*) survivors=$((survivors + 1)) ;; esac
done <"${1:+$work/chosen}${1:-$work/all}"
echo "$(wc -l <"$work/all") checks, $survivors mutants survive"
[ "$survivors" -eq 0 ]
