// Reference loops: layer normalisation over the last axis.
#pragma once

#include <cmath>

#include "detrack/ops/layer_norm.hpp"

namespace detrack::reference {

template <class T>
void run(const LayerNormForward<T>& op) {
  using std::sqrt;
  using S = stat_t<T>;
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1);
  const S count = S(static_cast<double>(C));
  for (std::int64_t r = 0; r < R; ++r) {
    S sum(0), squares(0);
    for (std::int64_t c = 0; c < C; ++c) sum += op.x(r, c);
    const S mean = sum / count;
    for (std::int64_t c = 0; c < C; ++c) squares += (op.x(r, c) - mean) * (op.x(r, c) - mean);
    const S rstd = S(1) / sqrt(squares / count + S(op.eps));
    for (std::int64_t c = 0; c < C; ++c) op.y(r, c) = op.gamma(c) * (op.x(r, c) - mean) * rstd + op.beta(c);
    if (op.mean) op.mean(r) = mean, op.rstd(r) = rstd;
  }
}

template <class T>
void run(const LayerNormBackward<T>& op) {
  using S = stat_t<T>;
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1);
  const S count = S(static_cast<double>(C));
  for (std::int64_t r = 0; r < R; ++r) {
    const auto g = [&](std::int64_t c) { return op.gamma(c) * op.dy(r, c); };
    const auto h = [&](std::int64_t c) { return (op.x(r, c) - op.mean(r)) * op.rstd(r); };
    S sum_g(0), sum_gh(0);
    for (std::int64_t c = 0; c < C; ++c) {
      sum_g += g(c);
      sum_gh += g(c) * h(c);
      if (op.dgamma) op.dgamma(c) += op.dy(r, c) * h(c), op.dbeta(c) += op.dy(r, c);
    }
    for (std::int64_t c = 0; c < C; ++c) {  // dx may be dy or residual: each element is read before it is written
      const S gradient = op.rstd(r) * (g(c) - sum_g / count - h(c) * sum_gh / count);
      op.dx(r, c) = op.residual ? op.residual(r, c) + gradient : gradient;
    }
  }
}

}  // namespace detrack::reference
