// Mean squared error of each row.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y[r] = mean over C of (a - b)^2.   Shapes: a, b (R, C), C >= 1; y (R). b takes no gradient.
template <class T>
struct MseForward {
  static constexpr const char* kName = "mse_forward";
  View<const T> a{};
  View<const stat_t<T>> b{};
  View<stat_t<T>> y{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "a", a.shape(), 2);
    ops::expect_view(kName, "a", a, a.shape());
    ops::expect_view(kName, "b", b, a.shape());
    ops::expect_view(kName, "y", y, {a.extent(0)});
  }
  double flops() const { return 3.0 * static_cast<double>(a.numel()); }
};

/// Math:   da = dy[r] 2 (a - b) / C.   Shapes: as MseForward; dy (R), da (R, C).
template <class T>
struct MseBackward {
  static constexpr const char* kName = "mse_backward";
  View<const T> a{};
  View<const stat_t<T>> b{}, dy{};
  View<T> da{};

  template <class F>
  void views(F&& f) const {
    f("a", a), f("b", b), f("dy", dy), f("da", da);
  }
  void check() const {
    ops::expect_rank(kName, "a", a.shape(), 2);
    ops::expect_view(kName, "a", a, a.shape());
    ops::expect_view(kName, "b", b, a.shape());
    ops::expect_view(kName, "dy", dy, {a.extent(0)});
    ops::expect_view(kName, "da", da, a.shape());
  }
  double flops() const { return 3.0 * static_cast<double>(a.numel()); }
};

}  // namespace detrack
