// Reference loops: linear layer with bias, residual and activation.
#pragma once

#include "detrack/ops/linear.hpp"
#include "detrack/ops/reference/activation.hpp"

namespace detrack::reference {

template <class T>
void run(const LinearForward<T>& op) {
  using S = stat_t<T>;
  const std::int64_t R = op.x.extent(0), I = op.x.extent(1), O = op.w.extent(0);
  for (std::int64_t r = 0; r < R; ++r)
    for (std::int64_t o = 0; o < O; ++o) {
      S z(0);
      for (std::int64_t i = 0; i < I; ++i) z += op.x(r, i) * op.w(o, i);
      if (op.b) z += op.b(o);
      z *= S(op.alpha);
      if (op.residual) z += op.residual(r, o);
      if (op.pre) op.pre(r, o) = T(z);
      op.y(r, o) = T(activate(op.activation, z));
    }
}

template <class T>
void run(const LinearBackward<T>& op) {
  using S = stat_t<T>;
  const std::int64_t R = op.dy.extent(0), O = op.dy.extent(1);
  if (op.dx)
    for (std::int64_t r = 0; r < R; ++r)
      for (std::int64_t i = 0; i < op.w.extent(1); ++i) {
        S sum(0);
        for (std::int64_t o = 0; o < O; ++o) sum += op.dy(r, o) * op.w(o, i);
        op.dx(r, i) = T(S(op.alpha) * sum);
      }
  if (op.dw)
    for (std::int64_t o = 0; o < O; ++o)
      for (std::int64_t i = 0; i < op.x.extent(1); ++i) {
        S sum(0);
        for (std::int64_t r = 0; r < R; ++r) sum += op.dy(r, o) * op.x(r, i);
        op.dw(o, i) += S(op.alpha) * sum;
      }
  if (op.db)
    for (std::int64_t o = 0; o < O; ++o) {
      S sum(0);
      for (std::int64_t r = 0; r < R; ++r) sum += op.dy(r, o);
      op.db(o) += S(op.alpha) * sum;
    }
}

}  // namespace detrack::reference
