#!/usr/bin/env bash
# Configures and builds one preset, quietly while all goes well.
#   deploy/build.sh PRESET programs|all      programs: what users run; all: tests and benchmarks too
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release} what=${2:-all}
directory=build/$preset
[[ $preset == ci ]] && directory=build/release
mkdir -p "$directory"
# LibTorch files need up to 2 GB each while they compile: no more jobs than memory allows.
memory_gib=$(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) / 1048576))
jobs=$(nproc)
[[ $((memory_gib / 2)) -ge $jobs ]] || jobs=$((memory_gib / 2 > 0 ? memory_gib / 2 : 1))
flags=()
[[ ${CI:-} == true ]] && flags+=(-DTUTTI_WERROR=ON)
if ! cmake --preset "$preset" "${flags[@]}" >"$directory/configure.log" 2>&1; then
  tail -n 30 "$directory/configure.log" >&2
  echo "build.sh: configuring failed; the whole log is $directory/configure.log" >&2
  exit 1
fi
start=$SECONDS
[[ -f $directory/build.ninja ]] || { echo "build.sh: no build files in $directory" >&2; exit 1; }
targets=(all)
[[ $what == programs ]] && targets=(tutti-server tutti-client tutti-trainer tutti-simulator tutti)
echo "building ${targets[*]} into $directory with $jobs jobs (the first time takes several minutes)"
if [[ -t 1 ]]; then
  cmake --build "$directory" -j "$jobs" --target "${targets[@]}"
else
  cmake --build "$directory" -j "$jobs" --target "${targets[@]}" >"$directory/build.log" 2>&1 ||
    { grep -E -m 20 -A 5 'error|FAILED' "$directory/build.log" >&2; echo "build.sh: the whole log is $directory/build.log" >&2; exit 1; }
fi
echo "built in $((SECONDS - start)) s"
