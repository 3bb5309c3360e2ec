// A row of a benchmark: something to time on a context, its cost from the plan backend, and how wrong it is.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "detrack/ops/plan_backend.hpp"
#include "peak.hpp"

namespace detrack::bench {

struct Row {
  std::function<void(Context<float>&)> run;
  /// Relative error of what `run` computes against the reference backend.
  std::function<double(Context<float>&)> error;
  double frames = 0;  ///< pairs of frames in a run; 0: not a row of whole models
  double bound = 1e-4;
};

/// The context and the ceilings that all rows of a program share.
struct Bench {
  Context<float> ctx;
  Ceilings ceilings;
  double least_bound = 0;  ///< of the relative errors of rows: what the context's products allow for
};

/// Factors rounded to bfloat16 are off by 2^-10 in the mean; gradients through a whole model by thirty times as much.
inline constexpr double kBfloatBound = 5e-2;

namespace detail {

inline double quantile(std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

/// Whole runs are timed one by one, so that a disturbed run spoils the mean and not the median.
inline void time(benchmark::State& state, const Bench& bench, Context<float>& ctx, const Row& row, const Cost& cost) {
  std::vector<double> times;
  row.run(ctx);
  for (auto _ : state) {
    times.push_back(seconds([&] { row.run(ctx); }));
    state.SetIterationTime(times.back());
  }
  std::sort(times.begin(), times.end());
  const double median = quantile(times, 0.5);
  state.counters["median_s"] = median;
  state.counters["min_s"] = times.front();
  state.counters["p95_s"] = quantile(times, 0.95);
  state.counters["GFLOP/s"] = 1e-9 * cost.flops / median;
  state.counters["%peak"] = 100 * cost.flops / median / bench.ceilings.fma;
  if (row.frames > 0) {
    state.counters["frames/s"] = row.frames / median;
  } else {
    state.counters["GB/s"] = 1e-9 * cost.bytes / median;
    state.counters["%copy"] = 100 * cost.bytes / median / bench.ceilings.copy;
  }
}

}  // namespace detail

/// Registers a row. `make(ctx)` builds it when its turn comes; what it built is kept until the next row's turn, because the
/// library calls a benchmark several times to find out how often to repeat it. A row that is wrong is not timed.
inline void register_row(Bench& bench, const std::string& name, std::function<Row(Context<float>&)> make) {
  struct Built {
    std::string name, problem;
    Row row;
    Cost cost;
  };
  static Built built;
  benchmark::RegisterBenchmark(name.c_str(),
                               [&bench, name, make = std::move(make)](benchmark::State& state) {
                                 Context<float>& ctx = bench.ctx;
                                 if (built.name != name) {
                                   built = {};
                                   built.row = make(ctx);
                                   const auto counter = std::make_shared<PlanBackend<float>>();
                                   Context<float> plan = plan_context<float>(counter);
                                   built.row.run(plan);
                                   built.cost = counter->total();
                                   ctx.arena().reserve(plan.arena().peak());
                                   const double error = built.row.error(ctx);
                                   if (!(error <= std::max(built.row.bound, bench.least_bound)))
                                     built.problem =
                                         "wrong: relative error " + std::to_string(error) + " against the reference backend";
                                   built.name = name;
                                 }
                                 if (!built.problem.empty()) return state.SkipWithError(built.problem.c_str());
                                 detail::time(state, bench, ctx, built.row, built.cost);
                               })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace detrack::bench
