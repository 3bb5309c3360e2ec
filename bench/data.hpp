// Memory for the rows: uniform numbers, and outputs that start from a value which nothing computes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "detrack/core/tensor.hpp"
#include "detrack/ops/op.hpp"

namespace detrack::bench {

/// Uniform in [-scale, scale], the same at every call (splitmix64).
inline void fill_uniform(View<float> view, float scale = 1, float centre = 0) {
  std::uint64_t state = static_cast<std::uint64_t>(view.numel());
  ops::detail::for_each_element(view, [&](float& x) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    x = centre + scale * (static_cast<float>(z >> 40) * 0x1p-23f - 1);
  });
}

/// Owns what a row's views point to.
class Data {
 public:
  View<float> uniform(const Shape& shape, float scale = 1) {
    const View<float> view = output(shape);
    fill_uniform(view, scale);
    return view;
  }
  View<float> output(const Shape& shape) { return tensors_.emplace_back(Tensor<float>::zeros(shape)).view(); }
  /// Uniform bytes, the same at every call.
  const std::uint8_t* bytes(std::size_t count) {
    auto& bytes = bytes_.emplace_back(count);
    std::uint32_t state = 1;
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
    return bytes.data();
  }

 private:
  std::deque<Tensor<float>> tensors_;
  std::deque<std::vector<std::uint8_t>> bytes_;
};

/// ||a - b|| / ||b||; NaN where there is nothing to compare.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::quiet_NaN();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(difference / norm);
}

/// The larger of two errors; NaN if either is.
inline double worse(double a, double b) {
  return std::isnan(a) || a >= b ? a : b;
}

/// About `count` evenly spaced positions of an axis, the last one among them: what is checked of a big output.
template <class X>
View<X> sample(const View<X>& view, int axis, std::int64_t count = 8) {
  const std::int64_t n = view.extent(axis), step = std::max<std::int64_t>(1, n / count), first = (n - 1) % step;
  Shape shape;
  std::array<std::int64_t, kMaxRank> strides{};
  for (int i = 0; i < view.rank(); ++i) {
    shape.append(i == axis ? (n - 1) / step + 1 : view.extent(i));
    strides[static_cast<std::size_t>(i)] = view.stride(i) * (i == axis ? step : 1);
  }
  return {view.data() + first * view.stride(axis), shape, strides, view.device()};
}

}  // namespace detrack::bench
