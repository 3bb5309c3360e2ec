// Reference loops: mean over the tokens of each sample.
#pragma once

#include "detrack/ops/mean_tokens.hpp"

namespace detrack::reference {

template <class T>
void run(const MeanTokensForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t b = 0; b < op.x.extent(0); ++b)
    for (std::int64_t c = 0; c < op.x.extent(2); ++c) {
      S sum(0);
      for (std::int64_t n = 0; n < op.x.extent(1); ++n) sum += op.x(b, n, c);
      op.y(b, c) = T(sum / S(static_cast<double>(op.x.extent(1))));
    }
}

template <class T>
void run(const MeanTokensBackward<T>& op) {
  for (std::int64_t b = 0; b < op.dx.extent(0); ++b)
    for (std::int64_t n = 0; n < op.dx.extent(1); ++n)
      for (std::int64_t c = 0; c < op.dx.extent(2); ++c)
        op.dx(b, n, c) = op.dy(b, c) / T(static_cast<double>(op.dx.extent(1)));
}

}  // namespace detrack::reference
