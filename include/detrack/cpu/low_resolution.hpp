// Fewer pixels than a crop has, rows first and then columns: their shares are worked out once for a crop.
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
class LowResolution {
 public:
  /// In place on a crop (3, S, S), planes without gaps; see FewerPixels. `factor` >= 1.
  void operator()(View<float> crop, double factor) {
    const std::int64_t S = crop.extent(1);
    const FewerPixels fewer(S, factor);
    const std::int64_t few = fewer.few;
    if (few == S) return;
    rows_.resize(static_cast<std::size_t>(few * S));
    small_.resize(static_cast<std::size_t>(few * few));
    plan(fewer);
    for (std::int64_t c = 0; c < 3; ++c) {
      reduce(&crop(c, 0, 0), S, few);
      enlarge(&crop(c, 0, 0), S, few);
    }
  }

 private:
  /// `share` of small pixel `to` is large pixel `from`.
  struct Part {
    std::int64_t to = 0, from = 0;
    float share = 0;
  };
  /// What a large pixel is made of: two small ones, `after` with the weight `right`.
  struct Taps {
    std::int64_t before = 0, after = 0;
    float right = 0;
  };

  /// Rows and columns have the same.
  void plan(const FewerPixels& fewer) {
    parts_.clear();
    for (std::int64_t k = 0; k < fewer.few; ++k)
      for (auto i = static_cast<std::int64_t>(fewer.begin(k)); static_cast<double>(i) < fewer.end(k); ++i)
        parts_.push_back({k, i, static_cast<float>(fewer.overlap(k, i) / fewer.size)});
    taps_.clear();
    for (std::int64_t i = 0; i < fewer.many; ++i) {
      const FewerPixels::Taps taps = fewer.taps(i);
      taps_.push_back({taps.before, taps.after, static_cast<float>(taps.right)});
    }
  }

  void reduce(const float* v, std::int64_t many, std::int64_t few) {
    std::fill(rows_.begin(), rows_.end(), 0.0f);
    for (const Part& part : parts_) {
      const float* from = v + part.from * many;
      float* to = rows_.data() + part.to * many;
      for (std::int64_t j = 0; j < many; ++j) to[j] += part.share * from[j];
    }
    std::fill(small_.begin(), small_.end(), 0.0f);
    for (std::int64_t row = 0; row < few; ++row) {
      const float* from = rows_.data() + row * many;
      float* to = small_.data() + row * few;
      for (const Part& part : parts_) to[part.to] += part.share * from[part.from];
    }
  }

  void enlarge(float* v, std::int64_t many, std::int64_t few) {
    for (std::int64_t row = 0; row < few; ++row) {
      const float* from = small_.data() + row * few;
      float* to = rows_.data() + row * many;
      for (const Taps& t : taps_) *to++ = from[t.before] + t.right * (from[t.after] - from[t.before]);
    }
    for (const Taps& t : taps_) {
      const float *upper = rows_.data() + t.before * many, *lower = rows_.data() + t.after * many;
      for (std::int64_t j = 0; j < many; ++j) v[j] = upper[j] + t.right * (lower[j] - upper[j]);
      v += many;
    }
  }

  std::vector<Part> parts_;
  std::vector<Taps> taps_;
  std::vector<float> rows_, small_;  ///< (few, S) and (few, few)
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
