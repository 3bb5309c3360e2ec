// Blur along a line: what a moving target or camera does to a picture.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detrack/core/view.hpp"

namespace detrack {

/// The mean along a straight line about each pixel; beyond the edges the outermost pixels go on. Keeps scratch memory
/// between calls.
class MotionBlur {
 public:
  /// In place on a crop (3, S, S), planes without gaps. `length` in pixels, cut to S; `direction` in radians from the x
  /// axis.
  void operator()(View<float> crop, double length, double direction) {
    const std::int64_t S = crop.extent(1);
    const std::int64_t radius = draw_line(std::min(length, static_cast<double>(S)), direction);
    const std::int64_t wide = S + 2 * radius;
    before_.resize(static_cast<std::size_t>(wide * wide));
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t i = 0; i < wide; ++i) {
        const float* row = &crop(c, std::clamp<std::int64_t>(i - radius, 0, S - 1), 0);
        float* to = before_.data() + i * wide;
        std::fill(to, to + radius, row[0]);
        std::copy(row, row + S, to + radius);
        std::fill(to + radius + S, to + wide, row[S - 1]);
      }
      for (std::int64_t i = 0; i < S; ++i) {
        float* row = &crop(c, i, 0);
        std::fill(row, row + S, 0.0f);
        for (const Tap& tap : line_) {
          const float* from = before_.data() + (i + radius + tap.down) * wide + radius + tap.right;
          for (std::int64_t j = 0; j < S; ++j) row[j] += tap.weight * from[j];
        }
      }
    }
  }

 private:
  struct Tap {
    std::int64_t right = 0, down = 0;  ///< pixels
    float weight = 0;
  };

  /// The line one pixel thick: a step of one pixel along the axis that it is closer to, shared by the two nearest pixels of
  /// the other one. Weights sum up to 1, and their centre is the middle. Returns how far it reaches.
  std::int64_t draw_line(double length, double direction) {
    line_.clear();
    const double x = std::cos(direction), y = std::sin(direction);
    const bool flat = std::abs(x) >= std::abs(y);
    const double slope = flat ? y / x : x / y, half = std::max(length * std::abs(flat ? x : y), 1.0) / 2;
    const auto reach = static_cast<std::int64_t>(std::ceil(half - 0.5));
    for (std::int64_t k = -reach; k <= reach; ++k) {
      const auto at = static_cast<double>(k);
      const double weight = (std::min(at + 0.5, half) - std::max(at - 0.5, -half)) / (2 * half);
      const double aside = at * slope, before = std::floor(aside);
      for (const double side : {before, before + 1}) {
        const double share = weight * (1 - std::abs(aside - side));
        if (!(share > 0)) continue;
        const auto other = static_cast<std::int64_t>(side);
        line_.push_back({flat ? k : other, flat ? other : k, static_cast<float>(share)});
      }
    }
    return reach + 1;
  }

  std::vector<Tap> line_;
  std::vector<float> before_;
};

}  // namespace detrack
