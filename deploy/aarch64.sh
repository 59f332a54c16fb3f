#!/usr/bin/env bash
# Unit tests of the cores (common/base, crypto, noise, secagg, dp) as 64-bit ARM programs under user-mode QEMU, on a Debian 12
# x86-64 machine. Installs what is missing (as root, or with sudo): the cross compiler, QEMU, the kissfft header, and
# OpenSSL, libsodium and Abseil for arm64.
#
#   deploy/aarch64.sh [--no-setup [CTEST_OPTION...]]     --no-setup: everything is installed
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(cmake ninja-build catch2 g++-aarch64-linux-gnu qemu-user libkissfft-dev libssl-dev:arm64 libsodium-dev:arm64
  libabsl-dev:arm64)

if [[ ${1:-} != --no-setup ]]; then
  as_root=()
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "aarch64.sh: needs root to install: ${packages[*]}" >&2; exit 77; }
    as_root=(sudo)
  fi
  "${as_root[@]}" dpkg --add-architecture arm64
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

cmake --preset aarch64 >/dev/null
cmake --build build/aarch64
ctest --test-dir build/aarch64 -LE soak --output-on-failure "${@:2}"
