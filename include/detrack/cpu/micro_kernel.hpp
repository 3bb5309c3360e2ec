// The register tile every matrix product here is made of: C (m x n vectors) = or += A (m x K) B (K x n vectors).
#pragma once

#include "detrack/cpu/bfloat_pair.hpp"
#include "detrack/cpu/byte_quad.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Columns of a full register tile.
template <class T>
inline constexpr std::int64_t kTileColumns = kTileVectors* kLanes<T>;

/// How the kernel finds A(i, k): a[i lda + k], or a[k lda + i].
enum class AccessA { rows, columns };

/// An outer-product tile: per step of k it loads `Vectors` vectors of B and multiplies them with a broadcast of each of
/// `Rows` elements of A. Rows x Vectors independent sums hide the FMA's latency; each element of C is one chain over k, so
/// its value does not depend on the tile that computes it. B and C rows are whole vectors (padded buffers).
/// E is float, double, BfloatPair or ByteQuad; K counts factors E.
template <class E, AccessA Access, int Rows, int Vectors>
void multiply_tile(std::int64_t K, const E* a, std::int64_t lda, const E* b, std::int64_t ldb, SumOf<E>* c, std::int64_t ldc,
                   bool add) {
  using T = SumOf<E>;
  Vector<T> sum[Rows][Vectors] = {};
  for (std::int64_t k = 0; k < K; ++k) {
    Vector<E> column[Vectors];
    unroll<Vectors>([&](auto j) __attribute__((always_inline)) { column[j] = load(b + j * kLanes<T>); });
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      const E element = Access == AccessA::rows ? a[i * lda] : a[i];
      const Vector<E> row = splat(element);
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { sum[i][j] = multiply_add(sum[i][j], row, column[j]); });
    });
    a += Access == AccessA::rows ? 1 : lda;
    b += ldb;
  }
  if (add) {
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) {
        T* at = c + i * ldc + j * kLanes<T>;
        store(at, load(at) + sum[i][j]);
      });
    });
  } else {
    unroll<Rows>([&](auto i) __attribute__((always_inline)) {
      unroll<Vectors>([&](auto j) __attribute__((always_inline)) { store(c + i * ldc + j * kLanes<T>, sum[i][j]); });
    });
  }
}

template <class E>
using TileKernel = void (*)(std::int64_t, const E*, std::int64_t, const E*, std::int64_t, SumOf<E>*, std::int64_t, bool);

/// Kernels of kTileRows, 4, 2 and 1 rows make up any number of rows.
constexpr int rows_of_kernel(int rung) {
  return rung == 0 ? kTileRows : 4 >> (rung - 1);
}

template <class E, AccessA Access>
inline constexpr auto kTileKernels = []<int... V>(std::integer_sequence<int, V...>) {
  struct Table {
    TileKernel<E> at[4][kTileVectors];
  };
  return Table{{{multiply_tile<E, Access, rows_of_kernel(0), V + 1>...},
                {multiply_tile<E, Access, rows_of_kernel(1), V + 1>...},
                {multiply_tile<E, Access, rows_of_kernel(2), V + 1>...},
                {multiply_tile<E, Access, rows_of_kernel(3), V + 1>...}}};
}
(std::make_integer_sequence<int, kTileVectors>{});

/// Up to kTileRows rows (the largest kernels that fit, one below the other) of `vectors` <= kTileVectors.
template <class E, AccessA Access>
DETRACK_INLINE void multiply_rows(std::int64_t rows, std::int64_t vectors, std::int64_t K, const E* a, std::int64_t lda,
                                  const E* b, std::int64_t ldb, SumOf<E>* c, std::int64_t ldc, bool add) {
  const auto& kernels = kTileKernels<E, Access>.at;
  for (int rung = 0; rows > 0;) {
    const int height = rows_of_kernel(rung);
    if (rows < height) {
      ++rung;
      continue;
    }
    kernels[rung][vectors - 1](K, a, lda, b, ldb, c, ldc, add);
    rows -= height;
    a += Access == AccessA::rows ? height * lda : height;
    c += height * ldc;
  }
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
