#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for SECONDS, else for FUZZ_SECONDS, else for 600.
#   tests/fuzz/run.sh [SECONDS [TARGET...]]
# Inputs that were found to reach new code stay in build/fuzz/corpus; an input that breaks a target
# lands in build/fuzz/findings and belongs, once it is understood, into tests/fuzz/corpus/<target>.
# Exit status: 77 when clang or its fuzzing library is not installed (ctest shows a skipped test).
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-${FUZZ_SECONDS:-600}}
targets=("${@:2}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$scratch/empty.cc"
if ! clang++ -fsanitize=fuzzer,address,undefined "$scratch/empty.cc" -o "$scratch/empty" 2>"$scratch/log"; then
  echo "run.sh: clang++ cannot build a fuzz target here; fix: apt-get install clang libclang-rt-dev" >&2
  exit 77
fi
mkdir -p build/fuzz/findings
cmake --preset fuzz >build/fuzz/configure.log 2>&1 || { tail -n 20 build/fuzz/configure.log >&2; exit 1; }
cmake --build build/fuzz --target tutti_fuzzers -j "$(nproc)" >build/fuzz/build.log 2>&1 ||
  { grep -E -m 10 -A 5 'error|FAILED' build/fuzz/build.log >&2; exit 1; }
if [[ ${#targets[@]} -eq 0 ]]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
failed=()
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  # Bounds of one input: 10 s, 2 GiB, 16 KiB. libFuzzer ends with the first input that breaks one.
  if "build/fuzz/bin/tutti_fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
    -artifact_prefix="build/fuzz/findings/$target-" "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" \
    >"build/fuzz/$target.log" 2>&1; then
    echo "$target: $(grep -E '^Done' "build/fuzz/$target.log"), $(grep -oE 'cov: [0-9]+' "build/fuzz/$target.log" | tail -n 1)"
  else
    failed+=("$target")
    echo "$target: FOUND SOMETHING; the whole log is build/fuzz/$target.log" >&2
    grep -E -m 5 'ERROR|runtime error|does not hold|SUMMARY|Test unit' "build/fuzz/$target.log" >&2 || true
  fi
done
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "run.sh: findings in ${failed[*]}" >&2
  exit 1
fi
