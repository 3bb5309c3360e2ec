// Values of statistics' type rounded to the tensors' own.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y = x rounded to T.   Shapes: x, y (n), contiguous.
template <class T>
struct Cast {
  static constexpr const char* kName = "cast";
  View<const stat_t<T>> x{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 1);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "y", y, x.shape());
  }
  double flops() const { return 0; }
};

}  // namespace detrack
