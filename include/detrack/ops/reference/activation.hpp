// Reference loops: elementwise activations.
#pragma once

#include <cmath>
#include <numbers>

#include "detrack/ops/activation.hpp"

namespace detrack::reference {

/// f(x)
template <class T>
T activate(Activation kind, T x) {
  using std::erf, std::exp;
  switch (kind) {
    case Activation::identity: return x;
    case Activation::relu: return x > T(0) ? x : T(0);
    case Activation::gelu: return x * T(0.5) * (T(1) + erf(x * T(1 / std::numbers::sqrt2)));
    case Activation::sigmoid: return T(1) / (T(1) + exp(-x));
  }
  return x;
}

/// f'(x)
template <class T>
T activation_slope(Activation kind, T x) {
  using std::erf, std::exp;
  switch (kind) {
    case Activation::identity: return T(1);
    case Activation::relu: return x > T(0) ? T(1) : T(0);
    case Activation::gelu: {
      const T distribution = T(0.5) * (T(1) + erf(x * T(1 / std::numbers::sqrt2)));
      const T density = exp(T(-0.5) * x * x) * T(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
      return distribution + x * density;
    }
    case Activation::sigmoid: {
      const T y = activate(kind, x);
      return y * (T(1) - y);
    }
  }
  return T(1);
}

template <class T>
void run(const ActivationForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.x.extent(0); ++r)
    for (std::int64_t c = 0; c < op.x.extent(1); ++c) op.y(r, c) = T(activate(op.kind, S(op.x(r, c))));
}

template <class T>
void run(const ActivationBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.x.extent(0); ++r)
    for (std::int64_t c = 0; c < op.x.extent(1); ++c)
      op.dx(r, c) = T(activation_slope(op.kind, S(op.x(r, c))) * S(op.dy(r, c)));
}

}  // namespace detrack::reference
