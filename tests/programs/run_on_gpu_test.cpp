// cuda/run_on_gpu.sh with programs that only note that they were called: what runs, what is skipped, and what goes on.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

using detrack::test::Outcome;

namespace {

namespace fs = std::filesystem;

class GpuMachine {
 public:
  GpuMachine() {
    fs::create_directory(folder_ / "bin");
    fs::create_directory(folder_ / "data");
    for (const char* name : {"gpu_test", "golden", "bench_cuda", "compute-sanitizer", "nvidia-smi", "nvcc"})
      program(name, "");
    program("python3", "");
    program("train", R"(sleep ${NAP:-0}
while [ $# -gt 0 ]; do [ "$1" != --out ] || out=$2; shift; done
mkdir -p "$out"; touch "$out/last.ckpt"; echo w >"$out/weights.safetensors")");
  }

  void program(const std::string& name, const std::string& body) const {
    const fs::path file = folder_ / ("bin/" + name);
    std::ofstream(file) << "#!/bin/sh\necho \"" << name << " $*\" >>'" << (folder_ / "calls").string() << "'\n"
                        << body << '\n';
    fs::permissions(file, fs::perms::owner_all);
  }

  Outcome run(const std::string& arguments, const std::string& environment = "") const {
    const std::string at = "'" + folder_.path().string();
    fs::remove(folder_ / "calls");
    return detrack::test::run_program(environment + " PATH=" + at +
                                      "/bin':\"$PATH\" '" DETRACK_SOURCE_DIR "/cuda/run_on_gpu.sh' --bin " + at +
                                      "/bin' --out " + at + "/out' " + arguments);
  }
  std::string training() const {
    return " --config '" DETRACK_SOURCE_DIR "/examples/train/small.json' --data 'videos=" + (folder_ / "data").string() +
           "'";
  }
  /// What was called since run(), a line each.
  std::string calls() const { return detrack::test::read_text(folder_ / "calls"); }
  std::string file(const std::string& name) const { return detrack::test::read_text(folder_ / ("out/" + name)); }

 private:
  detrack::test::TemporaryFolder folder_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("run_on_gpu: help, the stages, a dry run, and arguments that cannot be used") {
  const GpuMachine machine;
  CHECK(machine.run("--help").says("Usage: cuda/run_on_gpu.sh"));
  CHECK(machine.run("--list").says("compare-training  training steps"));
  const Outcome dry = machine.run("--dry-run" + machine.training() + " -- --set steps=7");
  CHECK(dry.status == 0);
  CHECK(dry.says("golden --backend cuda --scalar bf16"));
  CHECK(dry.says("--set steps=7"));
  CHECK(!has(machine.calls(), "golden"));
  CHECK(machine.file("summary.md").empty());
  for (const char* wrong : {"--stages check,nothing", "--time-limit soon", "--time-limit", "--data videos", "--bin nowhere",
                            "--config nowhere", "--surprise"}) {
    const Outcome outcome = machine.run(wrong);
    CHECK_MESSAGE(outcome.status == 2, wrong);
    CHECK_MESSAGE(outcome.says("run_on_gpu.sh: "), wrong);
  }
}

TEST_CASE("run_on_gpu: stages that passed are not run again, one that failed is") {
  const GpuMachine machine;
  machine.program("golden", "echo off by one; exit 1");
  const Outcome first = machine.run("--stages=build,check,sanitize,compare-training,compare,bench,twin,train");
  INFO(first.output);
  CHECK(first.status == 1);
  CHECK(first.says("| build | 0 | skipped: the programs of --bin |"));
  CHECK(first.says("failed: golden ended with 1, see check.log"));
  CHECK(first.says("skipped: no --config and --data"));
  CHECK(has(machine.file("check.log"), "off by one"));
  CHECK(has(machine.file("summary.md"), "| twin | "));
  const std::string calls = machine.calls();
  for (const char* call :
       {"golden --backend cuda --scalar bf16", "compute-sanitizer --tool racecheck", "bench_cuda --no-check"})
    CHECK_MESSAGE(has(calls, call), call);
  CHECK(has(calls, "compare_training.py --device cuda"));
  CHECK(has(calls, "compare_pytorch.py --device cuda --quick"));

  machine.program("golden", "");
  const Outcome second = machine.run("");
  INFO(second.output);
  CHECK(second.status == 0);
  CHECK(second.says("| passed before |"));
  CHECK(has(machine.calls(), "golden"));
  CHECK(!has(machine.calls(), "bench_cuda"));
  CHECK(machine.run("--stages bench --again").status == 0);
  CHECK(has(machine.calls(), "bench_cuda"));
}

TEST_CASE("run_on_gpu: what is not there is said") {
  const GpuMachine machine;
  machine.program("python3", "exit 1");
  machine.program("gpu_test", "exit 77");
  const Outcome outcome = machine.run("--stages check,compare");
  CHECK(outcome.status == 0);
  CHECK(outcome.says("skipped: no GPU that can be used"));
  CHECK(outcome.says("skipped: python3 has no PyTorch"));
}

TEST_CASE("run_on_gpu: limits end a stage, and those after it, and training goes on") {
  const GpuMachine machine;
  const Outcome first = machine.run("--stages train,check --time-limit 3" + machine.training(), "NAP=100");
  INFO(first.output);
  CHECK(first.status == 3);
  CHECK(first.says("interrupted: goes on when this is run again"));
  CHECK(first.says("| check | 0 | not begun |"));
  CHECK(has(machine.calls(), "train --device cuda"));
  CHECK(!has(machine.calls(), "gpu_test"));

  const Outcome second = machine.run("--stages twin,check --stage-limit 3", "NAP=100");
  INFO(second.output);
  CHECK(second.status == 3);
  CHECK(second.says("interrupted, "));
  CHECK(has(machine.calls(), "gpu_test"));

  CHECK(machine.run("--stages train" + machine.training()).status == 0);
  CHECK(!has(machine.calls(), "--resume"));
  CHECK(machine.run("--stages train --again" + machine.training()).status == 0);
  CHECK(has(machine.calls(), "--resume"));
}
