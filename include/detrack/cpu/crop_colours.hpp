// The colours of crops: gray, power and gain, noise. Loops that the compiler makes vectors of.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "detrack/core/rng.hpp"
#include "detrack/core/view.hpp"
#include "detrack/cpu/isa.hpp"
#include "detrack/ops/crop_filters.hpp"
#include "detrack/ops/crop_plan.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

// All in place on a crop (3, S, S), planes without gaps.

inline void to_gray(View<float> crop) {
  const std::int64_t n = crop.extent(1) * crop.extent(2);
  float *r = crop.data(), *g = r + n, *b = g + n;
  for (std::int64_t i = 0; i < n; ++i) r[i] = g[i] = b[i] = 0.299f * r[i] + 0.587f * g[i] + 0.114f * b[i];
}

inline void recolour(View<float> crop, const Photometric& p) {
  const std::int64_t n = crop.extent(1) * crop.extent(2);
  constexpr int kPoints = kPowerSteps;
  std::array<double, kPoints + 2> powers{};
  for (int k = 0; k < kPoints + 2; ++k)
    powers[static_cast<std::size_t>(k)] = std::pow(static_cast<double>(k) / kPoints, p.gamma);
  for (std::int64_t c = 0; c < 3; ++c) {
    std::array<float, kPoints + 2> table{};
    for (std::size_t k = 0; k < table.size(); ++k)
      table[k] = static_cast<float>(std::min(p.gain[static_cast<std::size_t>(c)] * powers[k], 1.0));
    const float* points = table.data();
    float* v = crop.data() + c * n;
    for (std::int64_t i = 0; i < n; ++i) {
      const float at = v[i] * kPoints;
      const auto k = static_cast<std::int32_t>(std::min(std::max(at, 0.0f), float{kPoints}));  // 32 bits: in vectors
      v[i] = points[k] + (at - static_cast<float>(k)) * (points[k + 1] - points[k]);
    }
  }
}

inline void add_noise(View<float> crop, double deviation, std::uint64_t seed) {
  Philox rng(seed);
  const auto scale = static_cast<float>(deviation / CropNoise::kDeviation);
  float* v = crop.data();
  for (std::int64_t i = 0; i < crop.numel(); i += 4) {
    const auto block = rng.next();
    for (std::int64_t k = 0; k < std::min<std::int64_t>(4, crop.numel() - i); ++k)
      v[i + k] = std::clamp(v[i + k] + scale * CropNoise::sum(block[static_cast<std::size_t>(k)]), 0.0f, 1.0f);
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
