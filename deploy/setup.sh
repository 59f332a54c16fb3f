#!/usr/bin/env bash
# Installs what building and running Tutti needs, with apt alone. Safe to run again: it installs only what is missing.
#
#   deploy/setup.sh            install what is missing (as root, or with sudo)
#   deploy/setup.sh --check    only list what is missing; exit status 1 when something is
#   deploy/setup.sh --runtime  only what running the programs needs, no compilers
#   deploy/setup.sh --list     print the package names and stop
#
# Works on Debian 12, Debian 13 and Ubuntu 26.04. Ubuntu 24.04 has no LibTorch package: see the message it prints.
set -euo pipefail

build_packages=(
  build-essential cmake ninja-build ccache mold pkg-config git ca-certificates
  libssl-dev openssl libsodium-dev
  libprotobuf-dev protobuf-compiler libgrpc++-dev libgrpc-dev protobuf-compiler-grpc
  libspdlog-dev libsqlite3-dev zlib1g-dev
  libtomlplusplus-dev libcli11-dev nlohmann-json3-dev
  libcpp-httplib-dev prometheus-cpp-dev libcurl4-openssl-dev
  libkissfft-dev libtorch-dev catch2
)
# OpenBLAS: without it LibTorch multiplies matrices 20 to 80 times slower. The data set feeds make demo.
# Python with its standard library (python3-minimal has no json): the demo, and the reader of tests/vectors/secagg.
runtime_packages=(libopenblas0-pthread dataset-fashion-mnist python3)

mode=install
packages=("${build_packages[@]}" "${runtime_packages[@]}")
for argument in "$@"; do
  case $argument in
    --check) mode=check ;;
    --list) mode=list ;;
    --runtime) packages=("${runtime_packages[@]}") ;;
    -h | --help) sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "setup.sh: unknown option $argument (try --help)" >&2; exit 2 ;;
  esac
done

if [[ $mode == list ]]; then printf '%s\n' "${packages[@]}"; exit 0; fi

. /etc/os-release
if ! command -v apt-get >/dev/null; then
  echo "setup.sh: this system (${PRETTY_NAME:-unknown}) has no apt. Install the equivalents of:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 1
fi
case "${ID:-}:${VERSION_ID:-}" in
  debian:12 | debian:13 | ubuntu:26.*) ;;
  ubuntu:24.*)
    cat >&2 <<'TEXT'
setup.sh: Ubuntu 24.04 has no LibTorch package. Two ways on:
  - build the coordinator and the operator's tools without it:
      cmake --preset release -DTUTTI_WITH_LEARN=OFF
  - or unpack the LibTorch zip (cxx11 ABI, CPU) from pytorch.org and name it:
      cmake --preset release -DCMAKE_PREFIX_PATH=/path/to/libtorch
Everything else is installed now.
TEXT
    kept=()
    for package in "${packages[@]}"; do [[ $package == libtorch-dev ]] || kept+=("$package"); done
    packages=("${kept[@]}")
    ;;
  *) echo "setup.sh: ${PRETTY_NAME:-this system} is not one we test (Debian 12, Debian 13, Ubuntu 26.04); trying anyway" >&2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  [[ $mode == check ]] && echo "setup.sh: everything is installed"
  exit 0
fi
if [[ $mode == check ]]; then
  printf 'missing: %s\n' "${missing[@]}"
  echo "fix: deploy/setup.sh"
  exit 1
fi

as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: needs root to install: ${missing[*]}" >&2
    echo "fix: run deploy/setup.sh as root, or install sudo" >&2
    exit 77
  fi
  as_root=(sudo)
fi
echo "setup.sh: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp); trap 'rm -f "$log"' EXIT
lock_seconds=300 # how long to wait for another apt, for instance a nightly upgrade
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -o "DPkg::Lock::Timeout=$lock_seconds" "$@" >"$log" 2>&1; }
fail() { tail -n 20 "$log" >&2; echo "setup.sh: failed: apt-get $1" >&2; exit 1; }
# The timeout above is for dpkg's lock; on that of the package lists apt gives up at once.
for ((waited = 0; ; waited += 5)); do
  apt update && break
  if ! grep -q 'Could not get lock' "$log" || ((waited >= lock_seconds)); then fail update; fi
  ((waited == 0)) && echo "setup.sh: another program uses apt; waiting for it, at most $lock_seconds s"
  sleep 5
done
apt install -y --no-install-recommends "${missing[@]}" || fail install
echo "setup.sh: done"
