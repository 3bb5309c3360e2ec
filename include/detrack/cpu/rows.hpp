// Loops over the vectors of a row, its ragged end included, and over the rows of a view.
#pragma once

#include <algorithm>

#include "detrack/core/view.hpp"
#include "detrack/cpu/simd.hpp"
#include "detrack/cpu/team.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Offset of row `row` (over all axes but the innermost) in a view.
template <class X>
std::int64_t row_offset(const View<X>& view, std::int64_t row) {
  std::int64_t offset = 0;
  for (int axis = view.rank() - 2; axis >= 0; --axis) {
    offset += row % view.extent(axis) * view.stride(axis);
    row /= view.extent(axis);
  }
  return offset;
}

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

/// f(row) for every row, in tasks of about kElements elements. `cost`: vector operations a vector.
template <class T, class F>
void for_each_row(Team<T>& team, std::int64_t R, std::int64_t C, double cost, const F& f) {
  constexpr std::int64_t kElements = 16384;
  if (R == 0 || C == 0) return;
  const std::int64_t rows = std::max<std::int64_t>(kElements / C, 1);
  const double work = static_cast<double>(R) * static_cast<double>(C) * cost / kLanes<T>;
  team.parallel((R + rows - 1) / rows, work, [&](std::int64_t task, T*) {
    const std::int64_t end = std::min((task + 1) * rows, R);
    for (std::int64_t r = task * rows; r < end; ++r) f(r);
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
