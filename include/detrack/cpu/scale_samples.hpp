// Each sample times a factor of its own, a row at a time.
#pragma once

#include "detrack/cpu/rows.hpp"
#include "detrack/ops/scale_samples.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
void run(Team<T>& team, const ScaleSamples<T>& op) {
  const std::int64_t n = op.x.extent(1), C = op.x.extent(2);
  for_each_row(team, op.x.extent(0) * n, C, 3, [&](std::int64_t r) {
    const T scale = op.scale(r / n);
    const T* x = op.x.data() + row_offset(op.x, r);
    const T* residual = op.residual ? op.residual.data() + row_offset(op.residual, r) : nullptr;
    T* y = op.y.data() + row_offset(op.y, r);
    for_each_vector<T>(
        C, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) {
          put(y + c, residual ? get(residual + c) + scale * get(x + c) : scale * get(x + c));
        });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
