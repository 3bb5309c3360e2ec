// Reference loops: mean squared error of each row.
#pragma once

#include "detrack/ops/mse.hpp"

namespace detrack::reference {

template <class T>
void run(const MseForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r) {
    S sum(0);
    for (std::int64_t c = 0; c < op.a.extent(1); ++c) sum += (op.a(r, c) - op.b(r, c)) * (op.a(r, c) - op.b(r, c));
    op.y(r) = sum / S(static_cast<double>(op.a.extent(1)));
  }
}

template <class T>
void run(const MseBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r)
    for (std::int64_t c = 0; c < op.a.extent(1); ++c)
      op.da(r, c) = op.dy(r) * S(2) * (op.a(r, c) - op.b(r, c)) / S(static_cast<double>(op.a.extent(1)));
}

}  // namespace detrack::reference
