// The common part of the benchmark programs: --threads, the context, the ceilings and what the machine and compiler are.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "detrack/cpu/backend.hpp"
#include "detrack/model/config.hpp"
#include "row.hpp"

namespace detrack::bench {

/// "detrack-t256" -> "t256"
inline std::string short_name(const Config& config) {
  return config.name.substr(config.name.find('-') + 1);
}

/// Image tokens of a forward pass with every template.
inline std::int64_t tokens_of(const Config& c) {
  return c.search_tokens() + c.templates * c.template_tokens();
}

namespace detail {

/// Takes "--threads N" or "--threads=N" out of the arguments; -1: not a number of threads.
inline int take_threads(int& argc, char** argv) {
  int threads = 0, kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (!argument.starts_with("--threads")) {
      argv[kept++] = argv[i];
      continue;
    }
    argument.remove_prefix(std::string_view("--threads").size());
    if (argument.empty() && i + 1 < argc)
      argument = argv[++i];
    else if (argument.starts_with("="))
      argument.remove_prefix(1);
    const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), threads);
    if (error != std::errc() || end != argument.data() + argument.size() || threads < 0) return -1;
  }
  argc = kept;
  return threads;
}

inline std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", x);
  return text;
}

#if defined(__clang__)
inline constexpr const char* kCompiler = "clang++ " __clang_version__;
#else
inline constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

}  // namespace detail

/// Runs the rows that `add_rows(bench, threads)` registers.
template <class F>
int run_rows(int argc, char** argv, const F& add_rows) {
  const int wanted = detail::take_threads(argc, argv);
  if (wanted < 0) {
    std::fprintf(stderr, "--threads: expected a number, 0 for all of the machine's\n");
    return 2;
  }
  const int threads = wanted > 0 ? wanted : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    std::fprintf(stderr, "besides: --threads N, 0 for all of the machine's\n");
    return 2;
  }
  Bench bench{cpu::make_context<float>({.threads = threads}), measure_ceilings(threads)};
  benchmark::AddCustomContext("detrack", bench.ctx.describe());
  benchmark::AddCustomContext("compiler", detail::kCompiler);
  benchmark::AddCustomContext("fma_peak", detail::number(1e-9 * bench.ceilings.fma) + " GFLOP/s");
  benchmark::AddCustomContext("fma_peak_one_thread", detail::number(1e-9 * bench.ceilings.fma_one) + " GFLOP/s");
  benchmark::AddCustomContext("read_bandwidth", detail::number(1e-9 * bench.ceilings.read) + " GB/s");
  benchmark::AddCustomContext("copy_bandwidth", detail::number(1e-9 * bench.ceilings.copy) + " GB/s");
  add_rows(bench, threads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace detrack::bench
