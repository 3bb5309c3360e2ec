// Reference loop: the sum of squares of a flat buffer.
#pragma once

#include "detrack/ops/squared_norm.hpp"

namespace detrack::reference {

template <class T>
void run(const SquaredNorm<T>& op) {
  double sum = 0;
  for (std::int64_t i = 0; i < op.x.extent(0); ++i) {
    const double x = static_cast<double>(op.x(i));
    sum += x * x;
  }
  op.y(0) = sum;
}

}  // namespace detrack::reference
