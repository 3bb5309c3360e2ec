#!/usr/bin/env bash
# Installs, with apt, the Debian packages that detrack's tests and examples need and this machine lacks. With --missing it only
# prints their names.
set -euo pipefail

packages=(ninja-build libeigen3-dev nlohmann-json3-dev doctest-dev libbenchmark-dev libstb-dev libcli11-dev
          pkgconf libavformat-dev libavcodec-dev libavdevice-dev libavutil-dev libswscale-dev)

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system: install what these packages hold yourself: ${packages[*]}" >&2
  exit 0  # they may well be there; CMake will name the first one that is not
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "${1:-}" = --missing ]; then
  printf '%s\n' "${missing[@]}"
  exit 0
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
  root=(sudo)
  [ -t 0 ] || root=(sudo -n)  # nobody there to type a password
  if ! command -v sudo >/dev/null || ! "${root[@]}" true; then
    echo "Missing packages, and no right to install them. Please run as root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -q || echo "apt-get update failed; going on with the package lists at hand" >&2
"${root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
