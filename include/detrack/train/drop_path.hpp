// Which residual branches of which samples are left out in a training pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/core/view.hpp"
#include "detrack/train/batch.hpp"

namespace detrack {

/// Stochastic depth [Huang et al. 2016]: block j's two branches are dropped with a probability that rises linearly from 0 to
/// `largest` over the blocks; those that stay are scaled by 1 / (1 - p), so that nothing changes at inference.
class DropPath {
 public:
  void draw(std::int64_t depth, double largest, std::uint64_t seed, const Batch& batch) {
    const std::int64_t B = batch.size();
    shape_ = {depth, 2, B};
    factors_.resize(static_cast<std::size_t>(shape_.numel()));
    for (std::int64_t b = 0; b < B; ++b) {
      Philox rng(seed ^ stream_of("drop path"), batch.sample(static_cast<std::size_t>(b)));
      for (std::int64_t j = 0; j < depth; ++j) {
        const double p = largest * static_cast<double>(j) / static_cast<double>(std::max<std::int64_t>(depth - 1, 1));
        for (std::int64_t branch = 0; branch < 2; ++branch)
          factors_[static_cast<std::size_t>((2 * j + branch) * B + b)] =
              rng.uniform() < p ? 0 : static_cast<float>(1 / (1 - p));
      }
    }
  }

  /// (L, 2, B), as ModelInputs wants it.
  View<const float> view() const { return {factors_.data(), shape_}; }

 private:
  Shape shape_;
  std::vector<float> factors_;
};

}  // namespace detrack
