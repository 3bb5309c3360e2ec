// Reference loops: each sample times a factor of its own.
#pragma once

#include "detrack/ops/scale_samples.hpp"

namespace detrack::reference {

template <class T>
void run(const ScaleSamples<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t b = 0; b < op.x.extent(0); ++b)
    for (std::int64_t i = 0; i < op.x.extent(1); ++i)
      for (std::int64_t c = 0; c < op.x.extent(2); ++c) {
        const S scaled = op.scale(b) * S(op.x(b, i, c));
        op.y(b, i, c) = T(op.residual ? S(op.residual(b, i, c)) + scaled : scaled);
      }
}

}  // namespace detrack::reference
