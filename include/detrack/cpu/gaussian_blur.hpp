// Gaussian blur of crops, a row at a time: along the rows, then across them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "detrack/core/view.hpp"
#include "detrack/cpu/isa.hpp"
#include "detrack/ops/crop_filters.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Keeps scratch memory between calls.
class GaussianBlur {
 public:
  /// In place on a crop (3, S, S), planes without gaps; see GaussianTaps.
  void operator()(View<float> crop, double deviation) {
    const GaussianTaps taps(deviation);
    const int radius = taps.reach;
    std::array<float, 2 * GaussianTaps::kMostReach + 1> weights{};
    double sum = 0;
    for (int k = -radius; k <= radius; ++k) sum += taps.weight(k);
    for (int k = -radius; k <= radius; ++k)
      weights[static_cast<std::size_t>(k + radius)] = static_cast<float>(taps.weight(k) / sum);
    const std::int64_t S = crop.extent(1);
    const auto add_taps = [&](float* to, auto&& from) {
      std::fill(to, to + S, 0.0f);
      for (int k = -radius; k <= radius; ++k) {
        const float weight = weights[static_cast<std::size_t>(k + radius)];
        const float* v = from(k);
        for (std::int64_t j = 0; j < S; ++j) to[j] += weight * v[j];
      }
    };
    for (std::int64_t c = 0; c < 3; ++c) {
      float* const plane = &crop(c, 0, 0);
      before_.resize(static_cast<std::size_t>(S + 2 * radius));
      for (std::int64_t i = 0; i < S; ++i) {
        float* const row = plane + i * S;
        std::fill_n(before_.begin(), radius, row[0]);
        std::copy(row, row + S, before_.begin() + radius);
        std::fill_n(before_.begin() + radius + S, radius, row[S - 1]);
        add_taps(row, [&](int k) { return before_.data() + radius + k; });
      }
      before_.assign(plane, plane + S * S);
      for (std::int64_t i = 0; i < S; ++i)
        add_taps(plane + i * S, [&](int k) { return before_.data() + std::clamp<std::int64_t>(i + k, 0, S - 1) * S; });
    }
  }

 private:
  std::vector<float> before_;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
