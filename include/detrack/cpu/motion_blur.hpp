// Blur along a line, row by row: a line's shares are worked out once for a crop.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "detrack/core/view.hpp"
#include "detrack/cpu/isa.hpp"
#include "detrack/ops/crop_filters.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Keeps scratch memory between calls.
class MotionBlur {
 public:
  /// In place on a crop (3, S, S), planes without gaps. `length` in crop units; see MotionLine.
  void operator()(View<float> crop, double length, double direction) {
    const std::int64_t S = crop.extent(1);
    const std::int64_t radius = draw_line(MotionLine(length, direction, S));
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

  /// Returns how far the line reaches.
  std::int64_t draw_line(const MotionLine& line) {
    line_.clear();
    for (std::int64_t k = -line.reach; k <= line.reach; ++k)
      for (const bool second : {false, true}) {
        const MotionLine::Tap tap = line.tap(k, second);
        if (tap.share > 0) line_.push_back({tap.right, tap.down, static_cast<float>(tap.share)});
      }
    return line.reach + 1;
  }

  std::vector<Tap> line_;
  std::vector<float> before_;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
