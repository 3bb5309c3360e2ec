// Loops over the vectors of a row, its ragged end included, and over the rows of a view.
#pragma once

#include "detrack/core/view.hpp"
#include "detrack/cpu/simd.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Sum of f(column, lanes left) over the columns of a row, in four interleaved chains. f zeroes the lanes it lacks.
template <class T, class F>
DETRACK_INLINE T sum_row(std::int64_t columns, F&& f) {
  constexpr std::int64_t L = kLanes<T>;
  Vector<T> sum[4] = {};
  std::int64_t c = 0;
  for (; c + 4 * L <= columns; c += 4 * L)
    unroll<4>([&](auto i) __attribute__((always_inline)) { sum[i] += f(c + i * L, L); });
  for (; c < columns; c += L) sum[0] += f(c, columns - c);
  return sum_lanes<T>((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/// Calls f(column, load, store) for each vector of a row: load(p) and store(p, v) touch only what the row has.
template <class T, class F>
DETRACK_INLINE void for_each_vector(std::int64_t columns, F&& f) {
  constexpr std::int64_t L = kLanes<T>;
  std::int64_t c = 0;
  for (; c + L <= columns; c += L)
    f(
        c, [](const T* p) __attribute__((always_inline)) { return load(p); },
        [](T * p, Vector<T> v) __attribute__((always_inline)) { store(p, v); });
  if (const std::int64_t left = columns - c; left > 0)
    f(
        c, [left](const T* p) __attribute__((always_inline)) { return load_some(p, left); },
        [left](T * p, Vector<T> v) __attribute__((always_inline)) { store_some(p, v, left); });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
