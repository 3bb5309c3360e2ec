// Fewer pixels than a crop has: how a small or distant target looks once it is enlarged.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "detrack/core/view.hpp"

namespace detrack {

/// Reduces a crop by the mean over areas and enlarges it again, bilinear between pixel centres; at the edges the outermost
/// pixels go on. Keeps scratch memory between calls.
class LowResolution {
 public:
  /// In place on a crop (3, S, S), planes without gaps: by way of S / factor pixels a side, at least one. `factor` >= 1.
  void operator()(View<float> crop, double factor) {
    const std::int64_t S = crop.extent(1);
    const auto few = static_cast<std::int64_t>(
        std::clamp(std::floor(static_cast<double>(S) / factor + 0.5), 1.0, static_cast<double>(S)));
    if (few == S) return;
    rows_.resize(static_cast<std::size_t>(few * S));
    small_.resize(static_cast<std::size_t>(few * few));
    for (std::int64_t c = 0; c < 3; ++c) {
      float* v = &crop(c, 0, 0);
      reduce(v, S, few);
      enlarge(v, S, few);
    }
  }

 private:
  /// f(k, i, w): part w of pixel k of few is pixel i of many.
  template <class F>
  static void for_each_part(std::int64_t many, std::int64_t few, F&& f) {
    const double size = static_cast<double>(many) / static_cast<double>(few);
    for (std::int64_t k = 0; k < few; ++k) {
      const double from = static_cast<double>(k) * size, to = std::min(from + size, static_cast<double>(many));
      for (auto i = static_cast<std::int64_t>(from); static_cast<double>(i) < to; ++i) {
        const double part = std::min(static_cast<double>(i + 1), to) - std::max(static_cast<double>(i), from);
        f(k, i, static_cast<float>(part / size));
      }
    }
  }

  void reduce(const float* v, std::int64_t many, std::int64_t few) {
    std::fill(rows_.begin(), rows_.end(), 0.0f);
    for_each_part(many, few, [&](std::int64_t k, std::int64_t i, float part) {
      float* row = rows_.data() + k * many;
      for (std::int64_t j = 0; j < many; ++j) row[j] += part * v[i * many + j];
    });
    std::fill(small_.begin(), small_.end(), 0.0f);
    for_each_part(many, few, [&](std::int64_t k, std::int64_t i, float part) {
      for (std::int64_t row = 0; row < few; ++row)
        small_[static_cast<std::size_t>(row * few + k)] += part * rows_[static_cast<std::size_t>(row * many + i)];
    });
  }

  void enlarge(float* v, std::int64_t many, std::int64_t few) {
    struct Taps {
      std::int64_t before, after;
      float right;
    };
    const auto taps = [&](std::int64_t i) {
      const double at =
          std::max((static_cast<double>(i) + 0.5) * static_cast<double>(few) / static_cast<double>(many) - 0.5, 0.0);
      const auto before = std::min(static_cast<std::int64_t>(at), few - 1);
      return Taps{before, std::min(before + 1, few - 1), static_cast<float>(at - static_cast<double>(before))};
    };
    for (std::int64_t j = 0; j < many; ++j) {
      const Taps t = taps(j);
      for (std::int64_t row = 0; row < few; ++row) {
        const float* from = small_.data() + row * few;
        rows_[static_cast<std::size_t>(row * many + j)] = from[t.before] + t.right * (from[t.after] - from[t.before]);
      }
    }
    for (std::int64_t i = 0; i < many; ++i) {
      const Taps t = taps(i);
      const float *upper = rows_.data() + t.before * many, *lower = rows_.data() + t.after * many;
      for (std::int64_t j = 0; j < many; ++j) v[i * many + j] = upper[j] + t.right * (lower[j] - upper[j]);
    }
  }

  std::vector<float> rows_, small_;  ///< (few, S) and (few, few)
};

}  // namespace detrack
