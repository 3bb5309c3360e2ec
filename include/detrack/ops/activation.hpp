// Elementwise activations: ReLU, exact GELU, sigmoid.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

enum class Activation {
  identity,
  relu,    ///< max(x, 0); its derivative at 0 is 0
  gelu,    ///< x Phi(x) with the exact normal distribution function (erf), Hendrycks and Gimpel 2016
  sigmoid  ///< 1 / (1 + exp(-x))
};

/// Math:   y = f(x).   Shapes: x, y (R, C). y may be x.
template <class T>
struct ActivationForward {
  static constexpr const char* kName = "activation_forward";
  static constexpr std::string_view kInPlace[] = {"x"};
  Activation kind = Activation::identity;
  View<const T> x{};
  View<T> y{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("y", y);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "y", y, x.shape());
  }
  double flops() const { return 10.0 * static_cast<double>(x.numel()); }
};

/// Math:   dx = f'(x) dy, x the input of the forward.   Shapes: x, dy, dx (R, C). dx may be dy.
template <class T>
struct ActivationBackward {
  static constexpr const char* kName = "activation_backward";
  static constexpr std::string_view kInPlace[] = {"dy"};
  Activation kind = Activation::identity;
  View<const T> x{}, dy{};
  View<T> dx{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("dy", dy), f("dx", dx);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    ops::expect_view(kName, "x", x, x.shape());
    ops::expect_view(kName, "dy", dy, x.shape());
    ops::expect_view(kName, "dx", dx, x.shape());
  }
  double flops() const { return 15.0 * static_cast<double>(x.numel()); }
};

}  // namespace detrack
