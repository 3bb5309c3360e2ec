// Compares the model with golden files: outputs, losses and every gradient.
#include "tests/support/golden.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/ops/reference_backend.hpp"

namespace {

template <class T>
bool check(const std::string& path, detrack::Context<T> ctx) {
  const auto file = detrack::SafetensorsFile::open(path);
  std::printf("%s\n%s\n%-64s %12s %9s\n", path.c_str(), ctx.describe().c_str(), "tensor", "error", "bound");
  bool holds = true;
  for (const detrack::test::GoldenRow& row : detrack::test::GoldenRun<T>(file, ctx).run()) {
    std::printf("%-64s %12.3e %9.0e  %s\n", row.name.c_str(), row.error, row.bound, row.holds() ? "holds" : "FAILS");
    holds &= row.holds();
  }
  return holds;
}

template <class T>
bool check(const std::string& path, const std::string& backend, int threads) {
  return backend == "cpu" ? check(path, detrack::cpu::make_context<T>({.threads = threads}))
                          : check(path, detrack::reference_context<T>());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Runs forward, losses and backward on golden files and compares every tensor, the worst last.\n"
      "Exit status: 0 if every bound holds, 1 if one does not, 2 if a file cannot be used.");
  std::vector<std::string> files;
  std::string backend = "cpu", scalar = "f32";
  int threads = 0;
  app.add_option("files", files, "safetensors files with param.*, in.*, out.* and grad.*")->required();
  app.add_option("--backend", backend, "what computes")->check(CLI::IsMember({"reference", "cpu"}))->capture_default_str();
  app.add_option("--scalar", scalar, "element type")->check(CLI::IsMember({"f32", "f64"}))->capture_default_str();
  app.add_option("--threads", threads, "threads of the cpu backend; 0: all")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bool holds = true;
  for (const std::string& file : files) {
    try {
      holds &= scalar == "f64" ? check<double>(file, backend, threads) : check<float>(file, backend, threads);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "golden: %s\n", error.what());
      return 2;
    }
  }
  std::printf("%s\n", holds ? "all bounds hold" : "NOT all bounds hold");
  return holds ? 0 : 1;
}
