#!/bin/sh
# 100,000 seeded mutations of a good safetensors file under ASan and UBSan, then libFuzzer if clang++ has it.
# usage: tests/fuzz/run.sh [count] [seed] [libFuzzer seconds]
set -eu
cd "$(dirname "$0")/../.."
count=${1:-100000}
seed=${2:-1}
seconds=${3:-30}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
flags="-std=c++20 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -Iinclude -I."

"${CXX:-g++}" $flags -fsanitize=address,undefined tests/fuzz/safetensors_fuzz.cpp -o "$build/fuzz"
"$build/fuzz" "$count" "$seed"

clang=${CLANGXX:-clang++}
if [ "$seconds" -gt 0 ] && "$clang" $flags -DDETRACK_LIBFUZZER -fsanitize=fuzzer,address,undefined \
    tests/fuzz/safetensors_fuzz.cpp -o "$build/libfuzzer" 2>/dev/null; then
  mkdir "$build/corpus"
  "$build/fuzz" --seed-corpus "$build/corpus/good.safetensors"
  "$build/libfuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/" "$build/corpus" >"$build/log" 2>&1 || { cat "$build/log"; exit 1; }
  tail -n 8 "$build/log"
else
  echo "libFuzzer: skipped (no clang++ with libFuzzer, or 0 seconds)"
fi
