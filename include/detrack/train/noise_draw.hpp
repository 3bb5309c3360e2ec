// The boxes that denoising starts from in training.
#pragma once

#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/model/config.hpp"
#include "detrack/model/losses.hpp"

namespace detrack {

/// What LossTargets looks at, one entry a sample.
struct NoisyStarts {
  std::vector<CropBox> start, eps;
  std::vector<double> t;
  std::vector<std::uint8_t> noised;

  explicit NoisyStarts(std::size_t samples) : start(samples), eps(samples), t(samples), noised(samples) {}

  /// Sample b under noise of a step t ~ U{0, ..., T - 1} (DeTrack eq. 1), or with probability `prior_prob` the previous box
  /// as it is. The same numbers are drawn either way.
  void draw(std::size_t b, const Config& config, const CropBox& truth, const CropBox& prior, double prior_prob, Philox rng) {
    const bool keep = rng.uniform() < prior_prob;
    t[b] = static_cast<double>(rng.below(static_cast<std::uint64_t>(config.noise_steps)));
    for (double& e : eps[b]) e = rng.normal();
    noised[b] = keep ? 0 : 1;
    start[b] = keep ? prior : noise_forward(config.noise(), truth, eps[b], t[b]);
  }

  LossTargets targets(const std::vector<CropBox>& truth) const { return {truth, start, eps, t, noised}; }
};

}  // namespace detrack
