// Images of another size.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/image.hpp"

namespace detrack {

namespace detail {

/// For each output position of one axis the input positions that it is made of, and their weights (which sum to 1).
struct ResizeTaps {
  struct Range {
    std::int64_t first, count;  ///< input positions
    std::size_t weights;        ///< where theirs begin
  };
  std::vector<Range> ranges;
  std::vector<float> weights;

  /// Shrinking: output i is the mean over [i, i + 1) in/out, input pixels counting by the part of them that lies within.
  /// Enlarging: linear between the two nearest pixel centres, output i lying at (i + 0.5) in/out - 0.5.
  ResizeTaps(std::int64_t in, std::int64_t out) {
    const double ratio = static_cast<double>(in) / static_cast<double>(out);
    const auto add = [&](std::int64_t first, std::int64_t count) { ranges.push_back({first, count, weights.size()}); };
    for (std::int64_t i = 0; i < out; ++i) {
      const double at = static_cast<double>(i);
      if (out < in) {
        const double from = at * ratio, to = std::min((at + 1) * ratio, static_cast<double>(in));
        const auto first = static_cast<std::int64_t>(from),
                   last = std::min(static_cast<std::int64_t>(std::ceil(to)), in) - 1;
        add(first, last - first + 1);
        for (std::int64_t k = first; k <= last; ++k) {
          const double part = std::min(to, static_cast<double>(k + 1)) - std::max(from, static_cast<double>(k));
          weights.push_back(static_cast<float>(part / (to - from)));
        }
      } else {
        const double centre = std::clamp((at + 0.5) * ratio - 0.5, 0.0, static_cast<double>(in - 1));
        const std::int64_t first = std::min(static_cast<std::int64_t>(centre), std::max<std::int64_t>(in - 2, 0));
        const double second = centre - static_cast<double>(first);
        add(first, in > 1 ? 2 : 1);
        weights.push_back(static_cast<float>(1 - second));
        if (in > 1) weights.push_back(static_cast<float>(second));
      }
    }
  }
};

}  // namespace detail

/// Area average along an axis that shrinks, bilinear with half-pixel centres along one that grows; an axis that keeps its
/// extent is copied. Errors: argument (an image without pixels, sides outside [1, ImageView::kMaxSide]); std::bad_alloc.
inline Image resize(const Image& image, std::int64_t width, std::int64_t height) {
  if (!image) fail(ErrorCode::argument, "resize: image: expected pixels, got an empty image");
  Image out(width, height);
  const detail::ResizeTaps across(image.width(), width), down(image.height(), height);
  std::vector<float> row(static_cast<std::size_t>(3 * image.width()));
  for (std::int64_t y = 0; y < height; ++y) {
    const auto& rows = down.ranges[static_cast<std::size_t>(y)];
    std::fill(row.begin(), row.end(), 0.0f);
    for (std::int64_t k = 0; k < rows.count; ++k) {
      const float weight = down.weights[rows.weights + static_cast<std::size_t>(k)];
      const std::uint8_t* from = image.pixel(rows.first + k, 0);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] += weight * static_cast<float>(from[i]);
    }
    for (std::int64_t x = 0; x < width; ++x) {
      const auto& columns = across.ranges[static_cast<std::size_t>(x)];
      float sum[3] = {};
      for (std::int64_t k = 0; k < columns.count; ++k) {
        const float weight = across.weights[columns.weights + static_cast<std::size_t>(k)];
        const float* from = &row[static_cast<std::size_t>(3 * (columns.first + k))];
        for (int c = 0; c < 3; ++c) sum[c] += weight * from[c];
      }
      std::uint8_t* to = out.pixel(y, x);
      for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(std::min(sum[c] + 0.5f, 255.0f));
    }
  }
  return out;
}

}  // namespace detrack
