// Softmax over the last axis.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y_k = exp(x_k - m) / sum_j exp(x_j - m), m = max x.   Shapes: x, y (R, V), V >= 1. y may be x.
template <class T>
struct SoftmaxForward {
  static constexpr const char* kName = "softmax_forward";
  static constexpr std::string_view kInPlace[] = {"x"};
  View<const T> x{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect(x.extent(1) >= 1, kName, "x", "at least one column", static_cast<double>(x.extent(1)));
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "y", y, x.shape());
  }
  double flops() const { return 12.0 * static_cast<double>(x.numel()); }
};

/// Math:   dx_k = y_k (dy_k - sum_j y_j dy_j).   Shapes: y (the forward's output), dy, dx (R, V). dx may be dy.
template <class T>
struct SoftmaxBackward {
  static constexpr const char* kName = "softmax_backward";
  static constexpr std::string_view kInPlace[] = {"dy"};
  View<const T> y{}, dy{};
  View<T> dx{};

  template <class F>
  void views(F&& f) const {
    f("y", y), f("dy", dy), f("dx", dx);
  }
  void check() const {
    ops::expect_rank(kName, "y", y.shape(), 2);
    ops::expect_view(kName, "y", y, y.shape());
    ops::expect_view(kName, "dy", dy, y.shape());
    ops::expect_view(kName, "dx", dx, y.shape());
  }
  double flops() const { return 4.0 * static_cast<double>(y.numel()); }
};

}  // namespace detrack
