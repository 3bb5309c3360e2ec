// The learning rate over the steps of a run.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "detrack/train/options.hpp"

namespace detrack {

/// Factor of every learning rate in update `step`, counted from 0, of `steps`.
inline double schedule_factor(const OptimizerOptions& options, std::int64_t step, std::int64_t steps) {
  const double rise =
      options.warmup > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(options.warmup)) : 1;
  const double at = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(steps, 1));
  if (options.schedule == "step") return rise * (at < options.drop_at ? 1 : options.drop_factor);
  if (options.schedule == "cosine") {
    const double falling = (1 + std::cos(std::numbers::pi * std::min(at, 1.0))) / 2;
    return rise * (options.drop_factor + (1 - options.drop_factor) * falling);
  }
  return rise;
}

}  // namespace detrack
