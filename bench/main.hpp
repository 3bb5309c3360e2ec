// The common part of the benchmark programs: --threads, the context, the ceilings and what the machine and compiler are.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
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

/// Takes "NAME VALUE" or "NAME=VALUE" out of the arguments.
inline std::optional<std::string_view> take(int& argc, char** argv, std::string_view name) {
  std::optional<std::string_view> value;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == name && i + 1 < argc)
      value = argv[++i];
    else if (argument.starts_with(name) && argument.substr(name.size()).starts_with("="))
      value = argument.substr(name.size() + 1);
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

/// Nothing where it is not a number of threads.
inline std::optional<int> parse_threads(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc() || end != text.data() + text.size() || threads < 0) return {};
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
  const auto wanted = detail::parse_threads(detail::take(argc, argv, "--threads").value_or("0"));
  const std::string_view products = detail::take(argc, argv, "--products").value_or("full");
  if (!wanted || (products != "full" && products != "bfloat16")) {
    std::fprintf(stderr, "expected --threads N, 0 for all of the machine's, and --products full or bfloat16\n");
    return 2;
  }
  const int threads = *wanted > 0 ? *wanted : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    std::fprintf(stderr, "besides: --threads N, 0 for all of the machine's, and --products full or bfloat16\n");
    return 2;
  }
  const auto kind = products == "full" ? cpu::Products::full : cpu::Products::bfloat16;
  Bench bench{cpu::make_context<float>({.threads = threads, .products = kind}), measure_ceilings(threads, kind),
              kind == cpu::Products::full ? 0 : kBfloatBound};
  benchmark::AddCustomContext("detrack", bench.ctx.describe());
  benchmark::AddCustomContext("compiler", detail::kCompiler);
  benchmark::AddCustomContext("peak", detail::number(1e-9 * bench.ceilings.fma) + " GFLOP/s");
  benchmark::AddCustomContext("peak_one_thread", detail::number(1e-9 * bench.ceilings.fma_one) + " GFLOP/s");
  benchmark::AddCustomContext("read_bandwidth", detail::number(1e-9 * bench.ceilings.read) + " GB/s");
  benchmark::AddCustomContext("copy_bandwidth", detail::number(1e-9 * bench.ceilings.copy) + " GB/s");
  add_rows(bench, threads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace detrack::bench
