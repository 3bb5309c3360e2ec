// Reference loops: adding an embedding of the token's place.
#pragma once

#include "detrack/ops/position_embedding.hpp"

namespace detrack::reference {

template <class T>
void run(const PositionEmbeddingForward<T>& op) {
  for (std::int64_t b = 0; b < op.x.extent(0); ++b)
    for (std::int64_t n = 0; n < op.x.extent(1); ++n)
      for (std::int64_t c = 0; c < op.x.extent(2); ++c)
        op.y(b, n, c) = op.x(b, n, c) + op.embedding(op.embedding.extent(0) == 1 ? 0 : n, c);
}

template <class T>
void run(const PositionEmbeddingBackward<T>& op) {
  for (std::int64_t b = 0; b < op.dy.extent(0); ++b)
    for (std::int64_t n = 0; n < op.dy.extent(1); ++n)
      for (std::int64_t c = 0; c < op.dy.extent(2); ++c)
        op.dembedding(op.dembedding.extent(0) == 1 ? 0 : n, c) += op.dy(b, n, c);
}

}  // namespace detrack::reference
