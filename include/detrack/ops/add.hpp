// Weighted sums, copies and fills of strided views.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y = alpha a + beta b.   Shapes: a, y any rank; b the same shape, or absent (a scaled copy). Any strides.
/// y may be a or b. Its gradient is itself: da = alpha dy, db = beta dy.
template <class T>
struct Add {
  static constexpr const char* kName = "add";
  static constexpr std::string_view kInPlace[] = {"a", "b"};
  double alpha = 1;
  View<const T> a{};
  double beta = 1;
  View<const T> b{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("y", y);
  }
  void check() const {
    ops::expect_shape(kName, "y", y.shape(), a.shape());
    if (b) ops::expect_shape(kName, "b", b.shape(), a.shape());
  }
  double flops() const { return (b ? 3.0 : 1.0) * static_cast<double>(a.numel()); }
};

/// Math:   y = value.   Shapes: y any rank, any strides.
template <class T>
struct Fill {
  static constexpr const char* kName = "fill";
  double value = 0;
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("y", y);
  }
  void check() const {}
  double flops() const { return 0; }
};

}  // namespace detrack
