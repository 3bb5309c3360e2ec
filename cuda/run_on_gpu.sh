#!/usr/bin/env bash
# What a machine with a GPU is for: builds the CUDA backend there, checks it, measures it and trains, in stages that can be resumed.
# shellcheck disable=SC2317  # stages are called by their names
set -euo pipefail

usage() {
  cat <<'END'
Usage: cuda/run_on_gpu.sh [OPTION]... [-- ARGUMENT OF train]...

Runs the stages one after another; what they say and measure goes into a folder. A stage that is done is skipped when the
script is run again, one that was interrupted starts again, and training goes on. Nothing is installed.

  --out DIR              the folder (default gpu-results)
  --stages A,B           only these, in this order (default: all); --list tells them
  --again                also those that are done
  --time-limit SECONDS   stop then, cleanly; the same command goes on
  --stage-limit SECONDS  what a stage may take (default 480)
  --arch ARCH            build for this CMAKE_CUDA_ARCHITECTURES (default: the machine's own GPU)
  --bin DIR              build nothing: gpu_test, golden, bench_cuda and train are in DIR
  --python PROGRAM       with PyTorch, to compare with (default python3)
  --config FILE          of stage train: see examples/train/
  --data NAME=DIR        of stage train; may be given several times
  --dry-run              print the commands only
  --list, --help

Exit status: 0; 1 if a stage failed; 2 if arguments cannot be used; 3 if time was up or Ctrl-C was pressed.
END
}

readonly all_stages=(build check sanitize compare-training compare bench twin train)
list() {
  cat <<'END'
build             the preset cuda, for this machine's GPU
check             gpu_test; golden in float32 and bfloat16
sanitize          compute-sanitizer's memcheck, initcheck and racecheck of operations, golden fixtures and training
compare-training  training steps against PyTorch
compare           operations and models against PyTorch
bench             attention, models and trackers by themselves
twin              two training runs from one seed give the same weights, bit for bit
train             a run on your data (--config, --data); after the stage's limit it goes on when the script is run again
END
}

die() { echo "run_on_gpu.sh: $*" >&2; exit 2; }
number() { [[ $2 =~ ^[0-9]{1,9}$ ]] || die "$1: expected seconds, got $2"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m gpu-results) stages=("${all_stages[@]}") again=no time_limit='' stage_limit=480 arch='' bin='' python=python3
config='' data=() train_arguments=() dry_run=no
while [ $# -gt 0 ]; do
  case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
    --help | -h) usage; exit 0 ;;
    --list) list; exit 0 ;;
    --dry-run) dry_run=yes; shift; continue ;;
    --again) again=yes; shift; continue ;;
    --) shift; train_arguments=("$@"); break ;;
    --out | --stages | --time-limit | --stage-limit | --arch | --bin | --python | --config | --data) ;;
    *) die "unknown argument $1; --help tells them" ;;
  esac
  if [ $# -lt 2 ] || [ -z "$2" ]; then die "$1: expected a value"; fi
  case $1 in
    --out) out=$(realpath -m "$2") ;;
    --stages) IFS=, read -r -a stages <<<"$2" ;;
    --time-limit) number "$1" "$2"; time_limit=$2 ;;
    --stage-limit) number "$1" "$2"; stage_limit=$2 ;;
    --arch) arch=$2 ;;
    --bin) [ -d "$2" ] || die "--bin: $2 is no folder"; bin=$(cd "$2" && pwd) ;;
    --python) python=$2; [[ $2 != */* ]] || python=$(realpath -s "$2") ;;  # a virtual environment's is a link
    --config) [ -f "$2" ] || die "--config: $2 is no file"; config=$(realpath "$2") ;;
    --data) [[ $2 == ?*=?* ]] || die "--data: expected NAME=DIR, got $2"; data+=(--data "${2%%=*}=$(realpath -m "${2#*=}")") ;;
  esac
  shift 2
done
for stage in "${stages[@]}"; do
  [[ " ${all_stages[*]} " == *" $stage "* ]] || die "--stages: expected some of ${all_stages[*]}, got $stage"
done

# The toolkit's usual place is in the path of few shells.
[ ! -d /usr/local/cuda/bin ] || PATH=$PATH:/usr/local/cuda/bin
build=$root/build/cuda
declare -A folder_of=([gpu_test]=tests [golden]=tests [bench_cuda]=bench [train]=examples)
program() { echo "${bin:-$build/${folder_of[$1]}}/$1"; }

# --- one stage: `run` runs its commands, `skip` and `fail` say why there is nothing to run.

child='' interrupted=no
stop() { interrupted=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true; }
trap stop INT TERM

out_of_time() { [ "$interrupted" = yes ] || { [ -n "$time_limit" ] && [ "$SECONDS" -ge "$time_limit" ]; }; }
left() {  # seconds until the stage must end
  local seconds=$((stage_begin + stage_limit - SECONDS))
  if [ -n "$time_limit" ] && [ $((time_limit - SECONDS)) -lt "$seconds" ]; then seconds=$((time_limit - SECONDS)); fi
  echo $((seconds > 0 ? seconds : 0))
}

# A stage's first result counts.
conclude() { [ "$result" != passed ] || result="$*"; }
skip() { conclude "skipped: $*"; }
fail() { conclude "failed: $*"; }

# run <command>...: within the time that is left, into the stage's log.
run() {
  local words seconds status=0
  words=$(printf '%q ' "$@")
  if [ "$dry_run" = yes ]; then echo "  $words"; return 0; fi
  seconds=$(left)
  if [ "$seconds" -eq 0 ] || [ "$interrupted" = yes ]; then conclude interrupted; return 1; fi
  echo "$ $words" >>"$log"
  # In the background, so that Ctrl-C is heard; timeout hands it on to all that the command has started.
  timeout --kill-after=60 "$seconds" "$@" >>"$log" 2>&1 </dev/null &
  child=$!
  wait "$child" || status=$?
  while kill -0 "$child" 2>/dev/null; do wait "$child" || status=$?; done  # a signal ends a wait early
  child=''
  if [ "$interrupted" = yes ] || [ "$status" -eq 124 ] || { [ "$status" -eq 137 ] && [ "$(left)" -eq 0 ]; }; then
    conclude interrupted
  elif [ "$status" -eq 77 ]; then
    skip "no GPU that can be used"
  elif [ "$status" -ne 0 ]; then
    fail "$(basename "$1") ended with $status, see $(basename "$log")"
  fi
  return "$status"
}

needs() {  # needs <program>...: false, and the stage has failed, if one is missing
  local name
  [ "$dry_run" = no ] || return 0
  for name in "$@"; do
    [ -x "$(program "$name")" ] || { fail "$(program "$name") is missing"; return 1; }
  done
}

needs_torch() {
  [ "$dry_run" = no ] || return 0
  "$python" -c 'import torch' 2>/dev/null || { skip "$python has no PyTorch"; return 1; }
}

missing_packages() {
  local tool
  for tool in cmake g++ nvcc; do command -v "$tool" >/dev/null || echo "$tool"; done
  "$root/cmake/install_packages.sh" --missing
}

stage_build() {
  if [ -n "$bin" ]; then skip "the programs of --bin"; return; fi
  local missing='' own
  [ "$dry_run" = yes ] || missing=$(missing_packages | paste -sd' ')
  if [ -n "$missing" ]; then
    fail "missing: $missing (cmake/install_packages.sh installs Debian's packages; or give --bin)"
    return
  fi
  own=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader --id=0 2>/dev/null | tr -dc 0-9 || true)
  [ "$own" != 90 ] || own=90a
  [ -n "$arch" ] || arch=${own:+$own-real}
  run cmake --preset cuda ${arch:+"-DCMAKE_CUDA_ARCHITECTURES=$arch"} || return
  run cmake --build "$build" --parallel "$(nproc)" --target detrack_tests_gpu_test detrack_tests_golden \
    detrack_bench_bench_cuda detrack_examples_train detrack_examples_evaluate || return
}

stage_check() {
  needs gpu_test golden || return
  local scalar
  # A program built elsewhere looks for the fixtures there; golden is told where they are.
  run "$(program gpu_test)" ${bin:+"-tce=*golden*"} || true
  for scalar in f32 bf16; do
    run "$(program golden)" --backend cuda --scalar "$scalar" "$root"/tests/data/tiny*.safetensors || true
  done
}

stage_sanitize() {
  needs gpu_test || return
  if [ "$dry_run" = no ] && ! command -v compute-sanitizer >/dev/null; then skip "no compute-sanitizer"; return; fi
  local tool
  for tool in memcheck initcheck racecheck; do
    run compute-sanitizer --tool "$tool" --error-exitcode 1 "$(program gpu_test)" \
      '-tc=*every operation*,*augmented crops*,*golden*,*IoU head alone*,*crops made on the device*' || true
  done
}

stage_compare-training() {
  needs train && needs_torch || return
  # Ends by itself before it is ended, and tells what it had no time for.
  run "$python" "$root/bench/compare_training.py" --device cuda --model t256,s256 --batch 128 --train "$(program train)" \
    --out "$out" --time-limit "$(($(left) * 9 / 10))" || true
}

stage_compare() {
  needs bench_cuda && needs_torch || return
  run "$python" "$root/bench/compare_pytorch.py" --device cuda --quick --bench-dir "$(dirname "$(program bench_cuda)")" \
    --out "$out" --time-limit "$(($(left) * 9 / 10))" || true
}

stage_bench() {
  needs bench_cuda || return
  run "$(program bench_cuda)" --no-check --rows '^(attention|few rows.*(t256|b256)|forward|update|crops)' --json "$out/bench.json" || true
}

stage_twin() {
  needs train || return
  local twin=$out/twin run_name
  [ "$dry_run" = yes ] || make_noise "$twin"
  for run_name in a b; do
    run "$(program train)" --device cuda --config "$root/examples/train/small.json" --quiet --out "$twin/$run_name" \
      --data "videos=$twin/data" --data "boxed=$twin/data" --data "unlabelled=$twin/data" --set steps=500 \
      --set "loader.threads=$(nproc)" --set loader.device_mb=64 || return
  done
  run cmp "$twin/a/weights.safetensors" "$twin/b/weights.safetensors" || return
  [ "$dry_run" = yes ] || rm -r "$twin"
}

make_noise() {  # pictures to train on that nobody has to have
  rm -rf "$1"
  mkdir -p "$1/data"
  printf 'image\tx\ty\tw\th\tclass\n' >"$1/data/boxes.tsv"
  local i
  for i in {0..15}; do
    { printf 'P6 320 240 255\n'; head -c 230400 /dev/urandom; } >"$1/data/$i.ppm"
    printf '%s.ppm\t%s\t%s\t%s\t%s\tnoise\n' "$i" $((20 + 8 * i)) $((20 + 5 * i)) $((40 + 5 * i)) $((120 - 5 * i))
  done >>"$1/data/boxes.tsv"
}

stage_train() {
  if [ -z "$config" ] || [ ${#data[@]} -eq 0 ]; then skip "no --config and --data"; return; fi
  needs train || return
  local resume=()
  [ ! -f "$out/train/last.ckpt" ] || resume=(--resume)
  run "$(program train)" --device cuda --config "$config" "${data[@]}" --quiet --out "$out/train" "${resume[@]}" \
    "${train_arguments[@]}" || true
}

# --- all of them

is_done() { [ "$again" = no ] && [ -f "$out/$1.done" ] && { [ "$1" != build ] || [ -x "$(program train)" ]; }; }

about() {
  nvidia-smi || echo "nvidia-smi does not run: is there a GPU?"
  nvcc --version || true
  git -C "$root" describe --always --dirty || true
  uname -srm
  echo "$(nproc) cores"
}

summary=()
note() { summary+=("| $1 | $2 | $3 |"); }

if [ "$dry_run" = no ]; then
  mkdir -p "$out"
  about >"$out/machine.txt" 2>&1
fi
cd "$root"  # where tests and train's own configurations expect to be run
status=0
for stage in "${stages[@]}"; do
  stage_begin=$SECONDS result=passed
  if [ "$dry_run" = yes ]; then
    echo "$stage"
    "stage_$stage"
    [ "$result" = passed ] || echo "  $result"
    continue
  fi
  if is_done "$stage"; then note "$stage" "$(cat "$out/$stage.done")" "passed before"; continue; fi
  if out_of_time; then note "$stage" 0 "not begun"; [ "$status" -eq 1 ] || status=3; continue; fi
  echo "== $stage"
  log=$out/$stage.log
  rm -f "$out/$stage.done"
  printf '== %s\n' "$(date -u +%FT%TZ)" >>"$log"
  "stage_$stage" || true
  seconds=$((SECONDS - stage_begin))
  case $result in
    passed) echo "$seconds" >"$out/$stage.done" ;;
    interrupted)
      [ "$stage" != train ] || result="interrupted: goes on when this is run again"
      [ "$status" -eq 1 ] || status=3 ;;
    failed*) status=1 ;;
  esac
  echo "$result, $seconds s"
  note "$stage" "$seconds" "$result"
done
[ "$dry_run" = no ] || exit 0
echo
{ printf '| stage | seconds | result |\n|---|---:|---|\n'; printf '%s\n' "${summary[@]}"; } | tee "$out/summary.md"
exit "$status"
