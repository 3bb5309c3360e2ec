// The sum of squares of a flat buffer: what clipping gradients by their global norm needs.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y = sum over i of x[i]^2, summed in double.   Shapes: x (n), contiguous; y (1).
/// NaN or infinity anywhere in x gives a y that is not finite.
template <class T>
struct SquaredNorm {
  static constexpr const char* kName = "squared_norm";
  View<const T> x{};
  View<double> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 1);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "y", y, {1});
  }
  double flops() const { return 2.0 * static_cast<double>(x.numel()); }
};

}  // namespace detrack
