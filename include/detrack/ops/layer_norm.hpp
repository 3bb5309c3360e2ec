// Layer normalisation over the last axis.
#pragma once

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   y = gamma (x - mean) rstd + beta,  rstd = 1 / sqrt(var + eps), biased variance   [Ba et al. 2016, section 3]
/// Shapes: x, y (R, C); gamma, beta (C); mean, rstd (R), both or neither (inference). y may be x.
template <class T>
struct LayerNormForward {
  static constexpr const char* kName = "layer_norm_forward";
  static constexpr std::string_view kInPlace[] = {"x"};
  View<const T> x{}, gamma{}, beta{};
  double eps = 1e-6;
  View<T> y{};
  View<stat_t<T>> mean{}, rstd{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("gamma", gamma), f("beta", beta), f("y", y), f("mean", mean), f("rstd", rstd);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    const std::int64_t R = x.extent(0), C = x.extent(1);
    ops::expect_view(kName, "x", x, {R, C});
    ops::expect_view(kName, "gamma", gamma, {C});
    ops::expect_view(kName, "beta", beta, {C});
    ops::expect_view(kName, "y", y, {R, C});
    ops::expect_view(kName, "mean", mean, {R}, !rstd);
    ops::expect_view(kName, "rstd", rstd, {R}, !mean);
    ops::expect(eps > 0, kName, "eps", "a positive number", eps);
  }
  double flops() const { return 8.0 * static_cast<double>(x.numel()); }
};

/// Math:   g = gamma dy, h = (x - mean) rstd:  dx = residual + rstd (g - mean(g) - h mean(g h));
///         dgamma += sum over rows of dy h;  dbeta += sum over rows of dy
/// Shapes: x, dy, dx (R, C); mean, rstd (R) of the forward; residual (R, C) or absent: the gradient that reaches x past
///         the norm. dgamma, dbeta (C), both or neither. dx may be residual or dy.
template <class T>
struct LayerNormBackward {
  static constexpr const char* kName = "layer_norm_backward";
  static constexpr std::string_view kInPlace[] = {"residual", "dy"};
  View<const T> x{}, gamma{};
  View<const stat_t<T>> mean{}, rstd{};
  View<const T> dy{}, residual{};
  View<T> dx{}, dgamma{}, dbeta{};

  template <class F>
  void views(F&& f) const {
    f("x", x), f("gamma", gamma), f("mean", mean), f("rstd", rstd), f("dy", dy), f("residual", residual);
    f("dx", dx), f("dgamma", dgamma), f("dbeta", dbeta);
  }
  void check() const {
    ops::expect_rank(kName, "x", x.shape(), 2);
    const std::int64_t R = x.extent(0), C = x.extent(1);
    ops::expect_view(kName, "x", x, {R, C});
    ops::expect_view(kName, "gamma", gamma, {C});
    ops::expect_view(kName, "mean", mean, {R});
    ops::expect_view(kName, "rstd", rstd, {R});
    ops::expect_view(kName, "dy", dy, {R, C});
    ops::expect_view(kName, "residual", residual, {R, C}, true);
    ops::expect_view(kName, "dx", dx, {R, C});
    ops::expect_view(kName, "dgamma", dgamma, {C}, !dbeta);
    ops::expect_view(kName, "dbeta", dbeta, {C}, !dgamma);
  }
  double flops() const { return 14.0 * static_cast<double>(x.numel()); }
};

}  // namespace detrack
