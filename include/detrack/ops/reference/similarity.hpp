// Reference loops: similarity map of tokens to the word table.
#pragma once

#include "detrack/ops/similarity.hpp"

namespace detrack::reference {

template <class T>
void run(const SimilarityForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.x.extent(0); ++r)
    for (std::int64_t k = 0; k < op.table.extent(0); ++k) {
      S dot(0);
      for (std::int64_t c = 0; c < op.x.extent(1); ++c) dot += op.x(r, c) * op.table(k, c);
      op.logits(r, k) = dot;
    }
}

template <class T>
void run(const SimilarityBackward<T>& op) {
  using S = stat_t<T>;
  const std::int64_t R = op.x.extent(0), C = op.x.extent(1), V = op.table.extent(0);
  if (op.dx)
    for (std::int64_t r = 0; r < R; ++r)
      for (std::int64_t c = 0; c < C; ++c) {
        S sum(0);
        for (std::int64_t k = 0; k < V; ++k) sum += op.dlogits(r, k) * op.table(k, c);
        op.dx(r, c) = T(sum);
      }
  if (op.dtable)
    for (std::int64_t k = 0; k < V; ++k)
      for (std::int64_t c = 0; c < C; ++c) {
        S sum(0);
        for (std::int64_t r = 0; r < R; ++r) sum += op.dlogits(r, k) * op.x(r, c);
        op.dtable(k, c) += sum;
      }
}

}  // namespace detrack::reference
