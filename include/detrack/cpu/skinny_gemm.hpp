// Matrix product for few rows: weights are read once, in the order they lie in memory, and never packed.
#pragma once

#include "detrack/cpu/gemm.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Up to this many rows, packing a weight costs more than the horizontal sums of dot products (at 16 packing wins: 58 % of
/// peak to 43).
inline constexpr std::int64_t kSkinnyRows = 8;

/// A tile of dot products holds one sum a lane: kDotRows rows of A times kDotColumns rows of the weight.
template <class T>
inline constexpr int kDotRows = kLanes<T> < 4 ? kLanes<T> : 4;
template <class T>
inline constexpr int kDotColumns = kLanes<T> / kDotRows<T>;

/// Lane i of the result is the sum of the lanes of sums[i]: a transposition that adds what it would exchange.
template <class T, int Half = 1>
DETRACK_INLINE Vector<T> sums_of_lanes(Vector<T> (&sums)[kLanes<T>]) {
  if constexpr (Half == kLanes<T>) {
    return sums[0];
  } else {
    unroll<kLanes<T> / (2 * Half)>([&](auto pair) __attribute__((always_inline)) {
      constexpr int at = 2 * Half * decltype(pair)::value;
      sums[at] = weave<T, Half, 0>(sums[at], sums[at + Half]) + weave<T, Half, Half>(sums[at], sums[at + Half]);
    });
    return sums_of_lanes<T, 2 * Half>(sums);
  }
}

/// Dot products of four rows of A and a few of the weight. The weight's next rows are asked for meanwhile: rows are too
/// short for the hardware to see them coming.
template <class T>
DETRACK_INLINE Vector<T> dot_tile(const T* const (&a)[kDotRows<T>], const T* const (&w)[kDotColumns<T>], std::int64_t ahead,
                                  std::int64_t K) {
  constexpr std::int64_t L = kLanes<T>;
  constexpr int kRows = kDotRows<T>, kColumns = kDotColumns<T>;
  Vector<T> sums[kLanes<T>] = {};
  const auto step = [&](const auto& get) __attribute__((always_inline)) {
    Vector<T> row[kRows];
    unroll<kRows>([&](auto i) __attribute__((always_inline)) { row[i] = get(a[i]); });
    unroll<kColumns>([&](auto j) __attribute__((always_inline)) {
      const Vector<T> column = get(w[j]);
      unroll<kRows>([&](auto i) __attribute__((always_inline)) { sums[i * kColumns + j] += row[i] * column; });
    });
  };
  std::int64_t k = 0;
  for (; k + L <= K; k += L) {
    unroll<kColumns>([&](auto j) __attribute__((always_inline)) { __builtin_prefetch(w[j] + ahead + k); });
    step([k](const T* p) __attribute__((always_inline)) { return load(p + k); });
  }
  if (k < K) step([ k, K ](const T* p) __attribute__((always_inline)) { return load_some(p + k, K - k); });
  return sums_of_lanes<T>(sums);
}

/// Whether multiply_skinny takes a product: A and B both have K contiguous.
template <class T>
bool is_skinny(const Product<T>& p) {
  return p.M <= kSkinnyRows && p.access_a == AccessA::rows && p.access_b == AccessB::rows;
}

/// Tasks are panels of kTileColumns weights' rows; each is finished at once, K being swept in one go.
template <class T>
void multiply_skinny(Team<T>& team, const Product<T>& p) {
  constexpr int kRows = kDotRows<T>, kColumns = kDotColumns<T>;
  constexpr std::int64_t kPanel = kTileColumns<T>;
  const std::int64_t padded_rows = (p.M + kRows - 1) / kRows * kRows;
  team.reserve(padded_rows * kPanel);
  const double work = static_cast<double>(p.N) * static_cast<double>(p.K) * static_cast<double>(padded_rows) / kLanes<T>;
  team.parallel((p.N + kPanel - 1) / kPanel, work, [&](std::int64_t task, T* tile) {
    const std::int64_t begin = task * kPanel, columns = std::min(kPanel, p.N - begin);
    for (std::int64_t n = 0; n < columns; n += kColumns) {
      const T* w[kColumns];  // past the end: the last one again, and its sums are not used
      for (int j = 0; j < kColumns; ++j) w[j] = p.b + (begin + std::min(n + j, columns - 1)) * p.ldb;
      for (std::int64_t m = 0; m < p.M; m += kRows) {
        const T* a[kRows];
        for (int i = 0; i < kRows; ++i) a[i] = p.a + std::min(m + i, p.M - 1) * p.lda;
        T sums[kLanes<T>];
        store(sums, dot_tile<T>(a, w, kColumns * p.ldb, p.K));
        for (int i = 0; i < kRows; ++i)
          for (int j = 0; j < kColumns; ++j) tile[(m + i) * kPanel + n + j] = sums[i * kColumns + j];
      }
    }
    finish_tile(
        p, [&](std::int64_t i, std::int64_t j) __attribute__((always_inline)) { return load(tile + i * kPanel + j); }, 0,
        p.M, begin, columns, true, true);
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
