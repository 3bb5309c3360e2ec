// Overlaps, centre errors and curves, in each toolkit's own arithmetic: scores near a threshold depend on its roundings.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/data/sequence.hpp"

namespace detrack {

// --- thresholds

/// `count` numbers from `first` to `last`, as numpy.linspace computes them.
inline std::vector<double> linspace(double first, double last, std::size_t count) {
  std::vector<double> values(count, first);
  if (count < 2) return values;
  const double step = (last - first) / static_cast<double>(count - 1);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<double>(i) * step + first;
  values.back() = last;
  return values;
}

/// 0, 1 / divisor, 2 / divisor, ...
inline std::vector<double> fractions(std::size_t count, double divisor) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<double>(i) / divisor;
  return values;
}

namespace detail {

/// a b, rounded before it is used: fused with a sum it would round otherwise than in the toolkits.
inline double product(double a, double b) {
  volatile double ab = a * b;
  return ab;
}

}  // namespace detail

// --- got-10k/toolkit (got10k/utils/metrics.py)

/// A box as that toolkit bounds it: first its corner, then its sides. A negative corner moves and leaves the sides alone.
inline Box toolkit_bounded(const Box& box, const ImageSize& size) {
  const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
  Box bounded;
  bounded.x = std::clamp(box.x, 0.0, width);
  bounded.y = std::clamp(box.y, 0.0, height);
  bounded.w = std::clamp(box.w, 0.0, width - bounded.x);
  bounded.h = std::clamp(box.h, 0.0, height - bounded.y);
  return bounded;
}

/// Intersection over (union + 2^-52), in [0, 1]; or NaN, which counts nowhere, where numbers or areas are not finite.
inline double toolkit_overlap(const Box& a, const Box& b) {
  const double w = std::max(std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x), 0.0);
  const double h = std::max(std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y), 0.0);
  const double common = detail::product(w, h), sum = detail::product(a.w, a.h) + detail::product(b.w, b.h);
  return std::clamp(common / (sum - common + std::numeric_limits<double>::epsilon()), 0.0, 1.0);
}

/// Pixels between the centres x + (w - 1) / 2, y + (h - 1) / 2.
inline double centre_error(const Box& a, const Box& b) {
  const double dx = a.x + (a.w - 1) / 2 - (b.x + (b.w - 1) / 2);
  const double dy = a.y + (a.h - 1) / 2 - (b.y + (b.h - 1) / 2);
  return std::sqrt(detail::product(dx, dx) + detail::product(dy, dy));
}

/// The same in units of the true box's sides, which count as 1 at least.
inline double toolkit_norm_error(const Box& box, const Box& truth) {
  const double dx = (box.x + (box.w - 1) / 2 - (truth.x + (truth.w - 1) / 2)) / std::max(1.0, truth.w);
  const double dy = (box.y + (box.h - 1) / 2 - (truth.y + (truth.h - 1) / 2)) / std::max(1.0, truth.h);
  return std::sqrt(detail::product(dx, dx) + detail::product(dy, dy));
}

// --- pytracking (pytracking/analysis/extract_results.py)

/// Intersection over union of corners that lie on pixels.
inline double pytracking_overlap(const Box& box, const Box& truth) {
  const auto side = [](double a, double a_side, double b, double b_side) {
    return std::max(std::min(a + a_side - 1, b + b_side - 1) - std::max(a, b) + 1, 0.0);
  };
  const double common = detail::product(side(box.x, box.w, truth.x, truth.w), side(box.y, box.h, truth.y, truth.h));
  return common / (detail::product(box.w, box.h) + detail::product(truth.w, truth.h) - common);
}

/// Centres in units of the true box's sides, and then their distance.
inline double pytracking_norm_error(const Box& box, const Box& truth) {
  const double dx = (box.x + 0.5 * (box.w - 1)) / truth.w - (truth.x + 0.5 * (truth.w - 1)) / truth.w;
  const double dy = (box.y + 0.5 * (box.h - 1)) / truth.h - (truth.y + 0.5 * (truth.h - 1)) / truth.h;
  return std::sqrt(detail::product(dx, dx) + detail::product(dy, dy));
}

// --- TrackingNet-devkit (metrics.py)

/// To whole pixels, halves to even.
inline Box rounded(const Box& box) {
  return {std::nearbyint(box.x), std::nearbyint(box.y), std::nearbyint(box.w), std::nearbyint(box.h)};
}

/// Of boxes of whole pixels; NaN for two boxes without area. Centre errors of such boxes are those of centre_error().
inline double trackingnet_overlap(const Box& box, const Box& truth) {
  return pytracking_overlap(box, truth);
}

inline double trackingnet_norm_error(const Box& box, const Box& truth) {
  const double dx = box.x + (box.w + 1) / 2 - (truth.x + (truth.w + 1) / 2);
  const double dy = box.y + (box.h + 1) / 2 - (truth.y + (truth.h + 1) / 2);
  return std::sqrt(dx / truth.w * dx / truth.w + dy / truth.h * dy / truth.h);
}

// --- curves

/// How a value counts at a threshold. NaN never counts.
enum class Hit { above, at_least, at_most };

/// Adds to `hits`, for each threshold, how many of `values` count there.
inline void count_hits(std::span<const double> values, std::span<const double> thresholds, Hit hit,
                       std::vector<std::int64_t>& hits) {
  hits.resize(thresholds.size());
  for (const double value : values)
    for (std::size_t i = 0; i < thresholds.size(); ++i) {
      const double t = thresholds[i];
      hits[i] += hit == Hit::above ? value > t : hit == Hit::at_least ? value >= t : value <= t;
    }
}

/// Mean height of a curve.
inline double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Area under a curve of evenly spaced points over a unit axis, by the trapezoid rule.
inline double unit_area(std::span<const double> values) {
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i) sum += values[i - 1] + values[i];
  return sum / 2 / static_cast<double>(values.size() - 1);
}

}  // namespace detrack
