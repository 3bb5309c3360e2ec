// Short vectors of float or double on the compilers' vector extensions: loads, stores, rows to columns.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "detrack/cpu/isa.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only
#endif

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

template <class T>
struct SimdOf;
template <>
struct SimdOf<float> {
  using Vector = float __attribute__((vector_size(kVectorBytes)));
  using Bits = std::int32_t __attribute__((vector_size(kVectorBytes)));
};
template <>
struct SimdOf<double> {
  using Vector = double __attribute__((vector_size(kVectorBytes)));
  using Bits = std::int64_t __attribute__((vector_size(kVectorBytes)));
};

template <class T>
using Vector = typename SimdOf<T>::Vector;
template <class T>
using Bits = typename SimdOf<T>::Bits;

/// Elements in a vector.
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
DETRACK_INLINE Vector<T> load(const T* from) {
  Vector<T> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class T>
DETRACK_INLINE void store(T* to, Vector<T> v) {
  std::memcpy(to, &v, sizeof v);
}

/// The first `count` lanes; the others are 0.
template <class T>
DETRACK_INLINE Vector<T> load_some(const T* from, std::int64_t count) {
  Vector<T> v{};
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < count) v[i] = from[i];
  return v;
}

template <class T>
DETRACK_INLINE void store_some(T* to, Vector<T> v, std::int64_t count) {
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < count) to[i] = v[i];
}

/// v with the lanes from `count` on set to `other`.
template <class T>
DETRACK_INLINE Vector<T> keep_some(Vector<T> v, std::int64_t count, T other = T(0)) {
  for (int i = 0; i < kLanes<T>; ++i)
    if (i >= count) v[i] = other;
  return v;
}

template <class T>
DETRACK_INLINE Vector<T> splat(T x) {
  return x - Vector<T>{};  // 0 + x would be computed: it is not x where x is -0
}

/// first, first + 1, ...
template <class T>
DETRACK_INLINE Vector<T> count_from(T first) {
  Vector<T> v;
  for (int i = 0; i < kLanes<T>; ++i) v[i] = static_cast<T>(i);
  return v + first;
}

template <class T>
DETRACK_INLINE Vector<T> max(Vector<T> a, Vector<T> b) {
  return a > b ? a : b;
}

template <class T>
DETRACK_INLINE Vector<T> min(Vector<T> a, Vector<T> b) {
  return a < b ? a : b;
}

/// Calls f(integral_constant<int, i>) for i in [0, N), unrolled: register arrays indexed by i stay in registers.
template <int N, class F>
DETRACK_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

/// Lanes i with (i & Half) == 0 of `a` and of `b` (From = 0), or the other ones (From = Half), woven together.
template <class T, int Half, int From>
DETRACK_INLINE Vector<T> weave(Vector<T> a, Vector<T> b) {
  return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, ((I & Half) == 0 ? I + From : kLanes<T> + I - Half + From)...);
  }
  (std::make_integer_sequence<int, kLanes<T>>{});
}

/// rows[i][j] <-> rows[j][i] of a square block, in log2(lanes) exchanges of ever larger halves (Eklundh 1972).
template <class T, int Half = 1>
DETRACK_INLINE void transpose(Vector<T> (&rows)[kLanes<T>]) {
  if constexpr (Half < kLanes<T>) {
    unroll<kLanes<T>>([&](auto i) __attribute__((always_inline)) {
      if constexpr ((decltype(i)::value & Half) == 0) {
        constexpr int low = decltype(i)::value, high = low + Half;
        const Vector<T> a = rows[low], b = rows[high];
        rows[low] = weave<T, Half, 0>(a, b);
        rows[high] = weave<T, Half, Half>(a, b);
      }
    });
    transpose<T, 2 * Half>(rows);
  }
}

/// All lanes combined by f(vector, vector), by halves.
template <class T, int Half = kLanes<T> / 2, class F>
DETRACK_INLINE T combine_lanes(Vector<T> v, F&& f) {
  if constexpr (Half == 0) {
    return v[0];
  } else {
    const Vector<T> other = [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
      return __builtin_shufflevector(v, v, (I ^ Half)...);
    }
    (std::make_integer_sequence<int, kLanes<T>>{});
    return combine_lanes<T, Half / 2>(f(v, other), f);
  }
}

template <class T>
DETRACK_INLINE T sum_lanes(Vector<T> v) {
  return combine_lanes<T>(
      v, [](Vector<T> a, Vector<T> b) __attribute__((always_inline)) { return a + b; });
}

template <class T>
DETRACK_INLINE T max_lanes(Vector<T> v) {
  return combine_lanes<T>(
      v, [](Vector<T> a, Vector<T> b) __attribute__((always_inline)) { return max<T>(a, b); });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
