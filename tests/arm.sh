#!/usr/bin/env bash
# Cross-compiles the tests for 64-bit ARM and runs them on an emulated processor.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
Usage: tests/arm.sh [--march ARCH] [FOLDER]...

Compiles each FOLDER of tests/ into build/arm and runs it under qemu. Without FOLDER: all but those that need FFmpeg, a GPU's
emulator or the programs, about half an hour.

  --march ARCH   as g++ takes it (default armv8.2-a+dotprod+bf16; armv8-a has neither dot products nor bfloat16)

It needs Debian's packages g++-aarch64-linux-gnu and qemu-user, besides those of tests/run.sh.
END
}

march=armv8.2-a+dotprod+bf16
folders=()
while [ $# -gt 0 ]; do
  case $1 in
    --march) march=${2:?--march: expected an architecture, such as armv8-a}; shift 2 ;;
    --march=*) march=${1#*=}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "tests/arm.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
    *) folders+=("$1"); shift ;;
  esac
done
[ ${#folders[@]} -gt 0 ] || folders=(core support ops cpu nn io image dataset eval track train model)
for folder in "${folders[@]}"; do
  [ -n "$(find "tests/$folder" -name '*_test.cpp' 2>/dev/null)" ] || { echo "tests/arm.sh: no tests in tests/$folder" >&2; exit 2; }
done
compiler=aarch64-linux-gnu-g++
for tool in $compiler qemu-aarch64; do
  command -v $tool >/dev/null || { echo "tests/arm.sh: $tool is missing: apt-get install g++-aarch64-linux-gnu qemu-user" >&2; exit 1; }
done

# Headers of no architecture, without those of this machine's libraries beside them.
out=build/arm
mkdir -p $out/include
for library in doctest nlohmann stb; do ln -sfn /usr/include/$library $out/include/$library; done

failed=()
for folder in "${folders[@]}"; do
  find "tests/$folder" -name '*_test.cpp' | sort | sed 's/.*/#include "&"/' >$out/"$folder".cpp
  echo "== $folder: compile for $march"
  $compiler -std=c++20 -O1 -march="$march" -Wno-psabi -I include -I . -isystem $out/include -DDETRACK_SOURCE_DIR="\"$PWD\"" \
    $out/"$folder".cpp tests/support/main.cpp -lpthread -o $out/"$folder"_test || { failed+=("$folder"); continue; }
  echo "== $folder: test"
  # The emulator holds no limit of memory.
  qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu $out/"$folder"_test -tce='*no memory for the one it is to be*' ||
    failed+=("$folder")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "Failed: ${failed[*]}" >&2
  exit 1
fi
