// Position embeddings, a row at a time.
#pragma once

#include "detrack/cpu/rows.hpp"
#include "detrack/ops/position_embedding.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void run(Team<T>& team, const PositionEmbeddingForward<T>& op) {
  const std::int64_t N = op.x.extent(1), C = op.x.extent(2);
  for_each_row(team, op.x.extent(0) * N, C, 3, [&](std::int64_t r) {
    const T* x = op.x.data() + row_offset(op.x, r);
    const T* e = op.embedding.data() + (op.embedding.extent(0) == 1 ? 0 : r % N * op.embedding.stride(0));
    T* y = op.y.data() + row_offset(op.y, r);
    for_each_vector<T>(
        C, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) { put(y + c, get(x + c) + get(e + c)); });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
