// Each sample of a batch times a factor of its own, which is how a branch is dropped for some samples.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y[b] = residual[b] + scale[b] x[b]   [stochastic depth: Huang et al. 2016, eq. 2, with scales 0 and 1 / (1 - p)]
/// Shapes: x, y (B, n, C); scale (B); residual (B, n, C) or absent. y may be x or residual. The scales take no gradient;
/// that of x is the operation itself, dx[b] = scale[b] dy[b].
template <class T>
struct ScaleSamples {
  static constexpr const char* kName = "scale_samples";
  static constexpr std::string_view kInPlace[] = {"x", "residual"};
  View<const T> x{};
  View<const stat_t<T>> scale{};
  View<const T> residual{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("scale", scale), f("residual", residual), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 3);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "scale", scale, {x.extent(0)});
    ops::expect_view(kName, "residual", residual, x.shape(), true);
    ops::expect_view(kName, "y", y, x.shape());
  }
  double flops() const { return (residual ? 2.0 : 1.0) * static_cast<double>(x.numel()); }
};

}  // namespace detrack
