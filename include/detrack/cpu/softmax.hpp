// Softmax of rows, vectorised.
#pragma once

#include <limits>

#include "detrack/cpu/math.hpp"
#include "detrack/cpu/rows.hpp"
#include "detrack/ops/softmax.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// The largest element of a row; NaNs are passed over.
template <class T>
T highest_of(const T* x, std::int64_t V) {
  constexpr std::int64_t L = kLanes<T>;
  constexpr T kNothing = -std::numeric_limits<T>::infinity();
  Vector<T> top = splat(kNothing);
  std::int64_t c = 0;
  for (; c + L <= V; c += L) top = max<T>(load(x + c), top);
  if (c < V) top = max<T>(keep_some<T>(load_some(x + c, V - c), V - c, kNothing), top);
  return max_lanes<T>(top);
}

/// Sum of f(k, x_k) over a row, a vector at a time.
template <class T, class F>
DETRACK_INLINE T sum_of(const T* x, std::int64_t V, F&& f) {
  constexpr std::int64_t L = kLanes<T>;
  return sum_row<T>(
      V, [&](std::int64_t k, std::int64_t left) __attribute__((always_inline)) {
        return left >= L ? f(k, load(x + k)) : keep_some<T>(f(k, load_some(x + k, left)), left);
      });
}

/// Sum of exp(x - highest) over a row.
template <class T>
T sum_exponentials(const T* x, std::int64_t V, T highest) {
  return sum_of(x, V, [&](std::int64_t, Vector<T> v) __attribute__((always_inline)) { return exp<T>(v - highest); });
}

template <class T>
void run(Team<T>& team, const SoftmaxForward<T>& op) {
  const std::int64_t V = op.x.extent(1);
  for_each_row(team, op.x.extent(0), V, 30, [&](std::int64_t r) {
    const T* x = op.x.data() + r * op.x.stride(0);
    T* y = op.y.data() + r * op.y.stride(0);
    const T highest = highest_of(x, V);
    for_each_vector<T>(
        V, [&](std::int64_t k, auto get, auto put)
               __attribute__((always_inline)) { put(y + k, exp<T>(get(x + k) - highest)); });
    const T sum = sum_of(y, V, [](std::int64_t, Vector<T> v) __attribute__((always_inline)) { return v; });
    for_each_vector<T>(
        V, [&](std::int64_t k, auto get, auto put) __attribute__((always_inline)) { put(y + k, get(y + k) / sum); });
  });
}

template <class T>
void run(Team<T>& team, const SoftmaxBackward<T>& op) {
  constexpr std::int64_t L = kLanes<T>;
  const std::int64_t V = op.y.extent(1);
  for_each_row(team, op.y.extent(0), V, 6, [&](std::int64_t r) {
    const T* y = op.y.data() + r * op.y.stride(0);
    const T* dy = op.dy.data() + r * op.dy.stride(0);
    T* dx = op.dx.data() + r * op.dx.stride(0);
    const T dot = sum_row<T>(
        V, [&](std::int64_t k, std::int64_t left) __attribute__((always_inline)) {
          return left >= L ? load(y + k) * load(dy + k) : load_some(y + k, left) * load_some(dy + k, left);
        });
    for_each_vector<T>(
        V, [&](std::int64_t k, auto get, auto put)
               __attribute__((always_inline)) { put(dx + k, get(y + k) * (get(dy + k) - dot)); });
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
