// Compares the model with golden files: outputs, losses and every gradient.
#include "tests/support/golden.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "detrack/cpu/backend.hpp"
#include "detrack/ops/reference_backend.hpp"
#ifdef DETRACK_WITH_CUDA
#include "detrack/cuda.hpp"
#endif

namespace {

bool print(const std::string& path, const std::string& describe, const std::vector<detrack::test::GoldenRow>& rows) {
  std::printf("%s\n%s\n%-64s %12s %9s\n", path.c_str(), describe.c_str(), "tensor", "error", "bound");
  bool holds = true;
  for (const detrack::test::GoldenRow& row : rows) {
    std::printf("%-64s %12.3e %9.0e  %s\n", row.name.c_str(), row.error, row.bound, row.holds() ? "holds" : "FAILS");
    holds &= row.holds();
  }
  return holds;
}

template <class T>
bool check(const std::string& path, detrack::Context<T> ctx) {
  const auto file = detrack::SafetensorsFile::open(path);
  if constexpr (std::is_same_v<T, detrack::bfloat16>)
    return print(path, ctx.describe(), detrack::test::golden_bf16(file, ctx));
  else
    return print(path, ctx.describe(), detrack::test::GoldenRun<T>(file, ctx).run());
}

bool check_cuda([[maybe_unused]] const std::string& path, const std::string& scalar) {
  if (scalar == "f64")
    detrack::fail(detrack::ErrorCode::argument, "--backend cuda: expected --scalar f32 or bf16, got ", scalar);
#ifdef DETRACK_WITH_CUDA
  return scalar == "bf16" ? check(path, detrack::cuda::make_context<detrack::bfloat16>())
                          : check(path, detrack::cuda::make_context<float>());
#else
  detrack::fail(detrack::ErrorCode::not_available, "--backend cuda: this program was built without it; use the preset cuda");
#endif
}

template <class T>
bool check_host(const std::string& path, const std::string& backend, int threads) {
  return backend == "cpu" ? check(path, detrack::cpu::make_context<T>({.threads = threads}))
                          : check(path, detrack::reference_context<T>());
}

bool check(const std::string& path, const std::string& backend, const std::string& scalar, int threads) {
  if (backend == "cuda") return check_cuda(path, scalar);
  if (scalar == "bf16") detrack::fail(detrack::ErrorCode::argument, "--scalar bf16: expected --backend cuda, got ", backend);
  return scalar == "f64" ? check_host<double>(path, backend, threads) : check_host<float>(path, backend, threads);
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
  app.add_option("--backend", backend, "what computes")
      ->check(CLI::IsMember({"reference", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--scalar", scalar, "element type")->check(CLI::IsMember({"f32", "f64", "bf16"}))->capture_default_str();
  app.add_option("--threads", threads, "threads of the cpu backend; 0: all")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bool holds = true;
  for (const std::string& file : files) {
    try {
      holds &= check(file, backend, scalar, threads);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "golden: %s\n", error.what());
      return 2;
    }
  }
  std::printf("%s\n", holds ? "all bounds hold" : "NOT all bounds hold");
  return holds ? 0 : 1;
}
