// Random test data: the same numbers on every machine, and exact in float, so that every scalar type gets the same ones.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/ops/op.hpp"

namespace detrack::test {

inline double exact_in_float(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// Standard normal values into a host view.
template <class X>
void fill_normal(const View<X>& view, std::uint64_t seed, std::uint64_t stream = 0) {
  Philox rng(seed, stream);
  ops::detail::for_each_element(view, [&](X& x) { x = X(exact_in_float(rng.normal())); });
}

/// Fills values in row-major order.
using Values = std::function<void(std::vector<double>&, Philox&)>;

inline Values normal(double scale = 1, double offset = 0) {
  return [=](std::vector<double>& values, Philox& rng) {
    for (double& x : values) x = exact_in_float(offset + scale * rng.normal());
  };
}

/// Integers in [0, n).
inline Values below(std::int64_t n) {
  return [=](std::vector<double>& values, Philox& rng) {
    for (double& x : values) x = static_cast<double>(rng.below(static_cast<std::uint64_t>(n)));
  };
}

/// Boxes x1, y1, x2, y2 near the middle of the crop; `disorder` moves each corner further, up to inverted and far boxes.
inline Values boxes(double disorder = 0) {
  return [=](std::vector<double>& values, Philox& rng) {
    for (std::size_t i = 0; i + 3 < values.size(); i += 4)
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const double low = 0.2 + 0.3 * rng.uniform(), side = 0.15 + 0.3 * rng.uniform();
        values[i + axis] = exact_in_float(low + disorder * rng.normal());
        values[i + axis + 2] = exact_in_float(low + side + disorder * rng.normal());
      }
  };
}

/// The same values every time.
inline Values exactly(std::vector<double> given) {
  return [given](std::vector<double>& values, Philox&) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = given[i % given.size()];
  };
}

}  // namespace detrack::test
