// Mean over the tokens of each sample.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y[b] = mean over n of x[b, n].   Shapes: x (B, n, C), n >= 1; y (B, C).
template <class T>
struct MeanTokensForward {
  static constexpr const char* kName = "mean_tokens_forward";
  View<const T> x{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 3);
    ops::expect(x.extent(1) >= 1, kName, "x", "at least one token", static_cast<double>(x.extent(1)));
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "y", y, {x.extent(0), x.extent(2)});
  }
  double flops() const { return static_cast<double>(x.numel()); }
};

/// Math:   dx[b, n] = dy[b] / n.   Shapes: dy (B, C); dx (B, n, C).
template <class T>
struct MeanTokensBackward {
  static constexpr const char* kName = "mean_tokens_backward";
  View<const T> dy{};
  View<T> dx{};

  template <class F>
  void views(F&& f) const {
    f("dy", dy), f("dx", dx);
  }
  void check() const {
    ops::expect_rank(kName, "dx", dx.shape(), 3);
    ops::expect_view(kName, "dy", dy, {dx.extent(0), dx.extent(2)});
    ops::expect_view(kName, "dx", dx, dx.shape());
  }
  double flops() const { return static_cast<double>(dx.numel()); }
};

}  // namespace detrack
