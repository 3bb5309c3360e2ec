#!/usr/bin/env bash
# Builds everything and runs every test: the optimised build, then the one with sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
Usage: tests/run.sh [--preset NAME]... [--help]

Installs the missing Debian packages (cmake/install_packages.sh), then configures, builds and tests each preset in
build/NAME. Without --preset: release, then dev (address and undefined-behaviour sanitizers).
END
}

presets=()
while [ $# -gt 0 ]; do
  case $1 in
    --preset) presets+=("${2:?--preset: expected a name, see CMakePresets.json}"); shift 2 ;;
    --preset=*) presets+=("${1#*=}"); shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
done
[ ${#presets[@]} -gt 0 ] || presets=(release dev)

./cmake/install_packages.sh

failed=()
for preset in "${presets[@]}"; do
  echo "== $preset: configure"
  cmake --preset "$preset"
  echo "== $preset: build"
  cmake --build --preset "$preset" --parallel "$(nproc)"
  echo "== $preset: test"
  ctest --preset "$preset" --parallel "$(nproc)" || failed+=("$preset")
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "Tests failed in: ${failed[*]}" >&2
  exit 1
fi
