#!/bin/sh
# Each fuzzer: 100,000 seeded mutations of good files under ASan and UBSan, then libFuzzer if clang++ has it.
# usage: tests/fuzz/run.sh [count] [seed] [libFuzzer seconds] [fuzzer, such as image]
set -eu
cd "$(dirname "$0")/../.."
count=${1:-100000}
seed=${2:-1}
seconds=${3:-30}
fuzzers=${4:-$(basename -a -s _fuzz.cpp tests/fuzz/*_fuzz.cpp)}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
flags="-std=c++20 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -Iinclude -I."
clang=${CLANGXX:-clang++}

for fuzzer in $fuzzers; do
  echo "== $fuzzer"
  source=tests/fuzz/${fuzzer}_fuzz.cpp
  "${CXX:-g++}" $flags -fsanitize=address,undefined "$source" -o "$build/fuzz"
  "$build/fuzz" "$count" "$seed"

  if [ "$seconds" -gt 0 ] && "$clang" $flags -DDETRACK_LIBFUZZER -fsanitize=fuzzer,address,undefined \
      "$source" -o "$build/libfuzzer" 2>/dev/null; then
    rm -rf "$build/corpus"
    mkdir "$build/corpus"
    "$build/fuzz" --seed-corpus "$build/corpus"
    "$build/libfuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$build/" "$build/corpus" >"$build/log" 2>&1 || { cat "$build/log"; exit 1; }
    tail -n 8 "$build/log"
  else
    echo "libFuzzer: skipped (no clang++ with libFuzzer, or 0 seconds)"
  fi
done
