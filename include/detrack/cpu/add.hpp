// Weighted sums and fills of strided views, a row at a time.
#pragma once

#include <algorithm>

#include "detrack/cpu/rows.hpp"
#include "detrack/ops/add.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Whether the elements of a view's innermost axis lie side by side.
template <class X>
bool unit_stride(const View<X>& view) {
  return view.rank() > 0 && (view.stride(view.rank() - 1) == 1 || view.extent(view.rank() - 1) == 1);
}

template <class T>
bool rows_are_contiguous(const Add<T>& op) {
  return unit_stride(op.a) && unit_stride(op.y) && (!op.b || unit_stride(op.b));
}

/// Innermost strides of 1: see rows_are_contiguous.
template <class T>
void run(Team<T>& team, const Add<T>& op) {
  const std::int64_t total = op.y.numel();
  if (total == 0) return;
  const bool flat = op.a.contiguous() && op.y.contiguous() && (!op.b || op.b.contiguous());
  constexpr std::int64_t kFlatRow = 4096;
  const std::int64_t C = flat ? std::min(kFlatRow, total) : op.y.extent(op.y.rank() - 1), R = (total + C - 1) / C;
  const T alpha = static_cast<T>(op.alpha), beta = static_cast<T>(op.beta);
  for_each_row(team, R, C, 3, [&](std::int64_t r) {
    const std::int64_t count = flat ? std::min(C, total - r * C) : C;
    const T* a = op.a.data() + (flat ? r * C : row_offset(op.a, r));
    T* y = op.y.data() + (flat ? r * C : row_offset(op.y, r));
    if (!op.b) {
      for_each_vector<T>(
          count, [&](std::int64_t c, auto get, auto put) __attribute__((always_inline)) { put(y + c, alpha * get(a + c)); });
      return;
    }
    const T* b = op.b.data() + (flat ? r * C : row_offset(op.b, r));
    for_each_vector<T>(
        count, [&](std::int64_t c, auto get, auto put)
                   __attribute__((always_inline)) { put(y + c, alpha * get(a + c) + beta * get(b + c)); });
  });
}

/// Innermost stride of 1.
template <class T>
void run(Team<T>& team, const Fill<T>& op) {
  const std::int64_t total = op.y.numel();
  if (total == 0) return;
  const bool flat = op.y.contiguous();
  const std::int64_t C = flat ? std::min<std::int64_t>(4096, total) : op.y.extent(op.y.rank() - 1), R = (total + C - 1) / C;
  for_each_row(team, R, C, 1, [&](std::int64_t r) {
    std::fill_n(op.y.data() + (flat ? r * C : row_offset(op.y, r)), flat ? std::min(C, total - r * C) : C,
                static_cast<T>(op.value));
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
