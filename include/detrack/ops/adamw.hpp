// The AdamW step of a training run: every parameter of one flat buffer moved by its gradient and its running moments.
#pragma once

#include <cmath>

#include "detrack/ops/op.hpp"

namespace detrack {

/// Math:   g = gradient_scale gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
///         value = value - lr (weight_decay value + (m / correction1) / (sqrt(v / correction2) + eps))
///         [Loshchilov and Hutter 2019, algorithm 2]. After step t the corrections are 1 - beta1^t and 1 - beta2^t.
///         rounded = value;  average = average_decay average + (1 - average_decay) value
///         lr and weight_decay are multiplied by factors (0, j) and (1, j) for the elements of unit j, kUnit in a row.
/// Shapes: value, gradient, m, v (n). value, m and v are read and written; v must not be negative. rounded (n) or absent:
///         what a model of narrower numbers computes with, which must not itself be moved by steps smaller than its
///         rounding. average (n) or absent: the exponential moving average. factors (2, ceil(n / kUnit)) or absent: they are 1.
template <class T>
struct AdamW {
  static constexpr const char* kName = "adamw";
  static constexpr std::int64_t kUnit = 64;  ///< elements that share their factors
  View<stat_t<T>> value{};
  View<const T> gradient{};
  View<stat_t<T>> m{}, v{};
  View<T> rounded{};
  View<stat_t<T>> average{};
  View<const stat_t<T>> factors{};
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  double gradient_scale = 1;                ///< of clipping, and of accumulated gradients
  double correction1 = 1, correction2 = 1;  ///< of moments that started from 0
  double average_decay = 0;

  template <class F>
  void views(F&& f) const {
    f("value", value), f("gradient", gradient), f("m", m), f("v", v), f("rounded", rounded), f("average", average);
    f("factors", factors);
  }
  void check() const {
    ops::expect_rank(kName, "value", value.shape(), 1);
    ops::expect_view(kName, "value", value, value.shape());
    ops::expect_view(kName, "gradient", gradient, value.shape());
    ops::expect_view(kName, "m", m, value.shape());
    ops::expect_view(kName, "v", v, value.shape());
    ops::expect_view(kName, "rounded", rounded, value.shape(), true);
    ops::expect_view(kName, "average", average, value.shape(), true);
    ops::expect_view(kName, "factors", factors, {2, (value.extent(0) + kUnit - 1) / kUnit}, true);
    ops::expect(std::isfinite(lr), kName, "lr", "a finite number", lr);
    ops::expect(beta1 >= 0 && beta1 < 1, kName, "beta1", "a number in [0, 1)", beta1);
    ops::expect(beta2 >= 0 && beta2 < 1, kName, "beta2", "a number in [0, 1)", beta2);
    ops::expect(eps > 0, kName, "eps", "a positive number", eps);
    ops::expect(std::isfinite(weight_decay), kName, "weight_decay", "a finite number", weight_decay);
    // Clipping divides by a norm: were that not a number, every parameter would be lost.
    ops::expect(std::isfinite(gradient_scale), kName, "gradient_scale", "a finite number", gradient_scale);
    ops::expect(correction1 > 0, kName, "correction1", "a positive number", correction1);
    ops::expect(correction2 > 0, kName, "correction2", "a positive number", correction2);
    ops::expect(average_decay >= 0 && average_decay <= 1, kName, "average_decay", "a number in [0, 1]", average_decay);
  }
  double flops() const { return (average ? 19.0 : 16.0) * static_cast<double>(value.numel()); }
  /// Value, moments and average are read and written; the factors are few.
  double bytes() const {
    const double wide = sizeof(stat_t<T>) * (average ? 8.0 : 6.0), narrow = sizeof(T) * (rounded ? 2.0 : 1.0);
    return static_cast<double>(value.numel()) * (wide + narrow);
  }
};

}  // namespace detrack
