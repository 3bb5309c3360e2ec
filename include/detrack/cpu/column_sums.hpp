// Sums over the rows of a matrix: gradients of biases.
#pragma once

#include <algorithm>

#include "detrack/core/view.hpp"
#include "detrack/cpu/simd.hpp"
#include "detrack/cpu/team.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// sums += alpha x the column sums of `x`. A task is a few vectors of columns, whose rows it adds in order.
template <class T>
void add_column_sums(Team<T>& team, View<const T> x, T alpha, View<T> sums) {
  constexpr std::int64_t L = kLanes<T>, kVectors = 8, kColumns = kVectors * L;
  const std::int64_t R = x.extent(0), C = x.extent(1);
  const double work = static_cast<double>(R) * static_cast<double>(C) / static_cast<double>(L);
  team.parallel((C + kColumns - 1) / kColumns, work, [&](std::int64_t task, T*) {
    const std::int64_t begin = task * kColumns, columns = std::min(kColumns, C - begin);
    T* const to = sums.data() + begin;
    if (columns == kColumns) {
      Vector<T> sum[kVectors] = {};
      for (std::int64_t r = 0; r < R; ++r) {
        const T* row = x.data() + r * x.stride(0) + begin;
        unroll<kVectors>([&](auto j) __attribute__((always_inline)) { sum[j] += load(row + j * L); });
      }
      unroll<kVectors>([&](auto j) __attribute__((always_inline)) { store(to + j * L, load(to + j * L) + alpha * sum[j]); });
      return;
    }
    for (std::int64_t j = 0; j < columns; j += L) {
      const std::int64_t left = std::min(L, columns - j);
      Vector<T> sum{};
      for (std::int64_t r = 0; r < R; ++r) {
        const T* row = x.data() + r * x.stride(0) + begin + j;
        sum += left == L ? load(row) : load_some(row, left);
      }
      if (left == L)
        store(to + j, load(to + j) + alpha * sum);
      else
        store_some(to + j, load_some(to + j, left) + alpha * sum, left);
    }
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
