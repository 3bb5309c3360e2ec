// Reference loops: softmax, and the stable normaliser that every softmax of the library is written with.
#pragma once

#include <cmath>

#include "detrack/ops/softmax.hpp"

namespace detrack::reference {

/// What turns one row's logits into probabilities: nothing overflows, because the largest exponent is 0.
template <class S>
struct SoftmaxRow {
  S max, sum;  ///< sum of exp(x_k - max)

  S probability(S x) const {
    using std::exp;
    return exp(x - max) / sum;
  }
  S log_sum_exp() const {
    using std::log;
    return max + log(sum);
  }
};

/// Over x(0) .. x(count - 1), count >= 1. Logits may be -infinity, as long as one is not.
template <class S, class Logits>
SoftmaxRow<S> softmax_row(std::int64_t count, Logits&& x) {
  using std::exp;
  S max = x(0), sum(0);
  for (std::int64_t k = 1; k < count; ++k)
    if (x(k) > max) max = x(k);
  for (std::int64_t k = 0; k < count; ++k) sum += exp(x(k) - max);
  return {max, sum};
}

/// Over row r of a view.
template <class X>
auto softmax_row(const View<X>& logits, std::int64_t r) {
  return softmax_row<stat_t<std::remove_const_t<X>>>(logits.extent(1), [&](std::int64_t k) { return logits(r, k); });
}

template <class T>
void run(const SoftmaxForward<T>& op) {
  for (std::int64_t r = 0; r < op.x.extent(0); ++r) {
    const auto row = softmax_row(op.x, r);
    for (std::int64_t k = 0; k < op.x.extent(1); ++k) op.y(r, k) = row.probability(op.x(r, k));
  }
}

template <class T>
void run(const SoftmaxBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.y.extent(0); ++r) {
    S dot(0);
    for (std::int64_t k = 0; k < op.y.extent(1); ++k) dot += op.y(r, k) * op.dy(r, k);
    for (std::int64_t k = 0; k < op.y.extent(1); ++k) op.dx(r, k) = op.y(r, k) * (op.dy(r, k) - dot);
  }
}

}  // namespace detrack::reference
