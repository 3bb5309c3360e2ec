// Which tokens of a batch of images are hidden from the encoder of a masked autoencoder.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/core/rng.hpp"

namespace detrack {

/// Every token of every sample is either visible or masked, the same number of each in every sample, in ascending order.
struct TokenMask {
  std::int64_t batch = 0;                     ///< B
  std::int64_t tokens = 0;                    ///< N, of one sample
  std::vector<std::int32_t> visible, masked;  ///< (B, Nv), (B, Nm): places in [0, N)
};

/// Nm: the nearest whole number to ratio x N that leaves at least one token of either kind.
inline std::int64_t masked_tokens(std::int64_t tokens, double ratio) {
  return std::clamp<std::int64_t>(std::llround(ratio * static_cast<double>(tokens)), 1, tokens - 1);
}

/// Draws the masked tokens of each sample without replacement; sample b does not depend on how many come after it.
/// Errors: argument.
inline TokenMask random_mask(Philox& rng, std::int64_t batch, std::int64_t tokens, double ratio) {
  if (batch < 1) fail(ErrorCode::argument, "random_mask: batch: expected at least 1, got ", batch);
  if (tokens < 2) fail(ErrorCode::argument, "random_mask: tokens: expected at least 2, got ", tokens);
  if (!(ratio >= 0 && ratio <= 1)) fail(ErrorCode::argument, "random_mask: ratio: expected a share in [0, 1], got ", ratio);
  TokenMask mask{batch, tokens, {}, {}};
  const std::int64_t count = masked_tokens(tokens, ratio);
  mask.masked.reserve(static_cast<std::size_t>(batch * count));
  mask.visible.reserve(static_cast<std::size_t>(batch * (tokens - count)));
  std::vector<std::int32_t> order(static_cast<std::size_t>(tokens));
  for (std::int64_t b = 0; b < batch; ++b) {
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = 0; i < count; ++i)  // Fisher and Yates, as far as needed
      std::swap(order[static_cast<std::size_t>(i)],
                order[static_cast<std::size_t>(i) + rng.below(static_cast<std::uint64_t>(tokens - i))]);
    const auto middle = order.begin() + count;
    std::sort(order.begin(), middle), std::sort(middle, order.end());
    mask.masked.insert(mask.masked.end(), order.begin(), middle);
    mask.visible.insert(mask.visible.end(), middle, order.end());
  }
  return mask;
}

}  // namespace detrack
