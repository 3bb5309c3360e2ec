// Linear layer with fused bias, residual and activation.
#pragma once

#include "detrack/ops/activation.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   z = alpha (x w^T + b) + residual;  y = activation(z)
/// Shapes: x (R, I), w (O, I) as PyTorch stores it, b (O) or absent, residual (R, O) or absent, y (R, O);
///         pre (R, O) or absent receives z, which the backward of an activation needs.
/// y may be residual.
template <class T>
struct LinearForward {
  static constexpr const char* kName = "linear_forward";
  static constexpr std::string_view kInPlace[] = {"residual"};
  View<const T> x{}, w{}, b{}, residual{};
  double alpha = 1;
  Activation activation = Activation::identity;
  View<T> pre{}, y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("w", w), f("b", b), f("residual", residual), f("pre", pre), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect_rank(kName, "w", w.shape(), 2);
    const std::int64_t R = x.extent(0), O = w.extent(0);
    ops::expect_view(kName, "x", x, {R, w.extent(1)});
    ops::expect_view(kName, "w", w, w.shape());
    ops::expect_view(kName, "b", b, {O}, true);
    ops::expect_view(kName, "residual", residual, {R, O}, true);
    ops::expect_view(kName, "pre", pre, {R, O}, true);
    ops::expect_view(kName, "y", y, {R, O});
  }
  double flops() const { return 2.0 * static_cast<double>(x.numel()) * static_cast<double>(w.extent(0)); }
};

/// Gradients of z = alpha (x w^T + b) given dz (here `dy`); an activation has its own backward, a residual's is dy itself.
/// Math:   dx = alpha dy w;  dw += alpha dy^T x;  db += alpha sum over rows of dy
/// Shapes: as LinearForward. dx, dw and db may be absent; x is needed for dw only, w for dx only.
template <class T>
struct LinearBackward {
  static constexpr const char* kName = "linear_backward";
  View<const T> dy{}, x{}, w{};
  double alpha = 1;
  View<T> dx{}, dw{}, db{};

  template <class F>
  void views(F&& f) const {
    f("dy", dy), f("x", x), f("w", w), f("dx", dx), f("dw", dw), f("db", db);
  }
  void check() const {
    ops::expect_rank(kName, "dy", dy.shape(), 2);
    const std::int64_t R = dy.extent(0), O = dy.extent(1);
    ops::expect_view(kName, "dy", dy, {R, O});
    if (dx) {
      ops::expect_rank(kName, "w", w.shape(), 2);
      ops::expect_view(kName, "w", w, {O, w.extent(1)});
      ops::expect_view(kName, "dx", dx, {R, w.extent(1)});
    }
    if (dw) {
      ops::expect_rank(kName, "x", x.shape(), 2);
      ops::expect_view(kName, "x", x, {R, x.extent(1)});
      ops::expect_view(kName, "dw", dw, {O, x.extent(1)});
    }
    ops::expect_view(kName, "db", db, {O}, true);
  }
  double flops() const {
    const double R = static_cast<double>(dy.extent(0)), O = static_cast<double>(dy.extent(1));
    return (dx ? 2 * R * O * static_cast<double>(dx.extent(1)) : 0) +
           (dw ? 2 * R * O * static_cast<double>(dw.extent(1)) : 0) + (db ? R * O : 0);
  }
};

}  // namespace detrack
